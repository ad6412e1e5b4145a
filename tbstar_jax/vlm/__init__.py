"""Vision-language models behind an OpenAI-compatible endpoint.

client       asks: cache, retries, limits and costs around one chat completion
asking       asks again until an answer can be read, never inventing one
messages     what is said: text and images
reply        what came back, with a status for everything that can go wrong
json_reply   the JSON object in a reply, repaired without guessing
strict_json  JSON without what the standard does not have
schema       JSON objects read into dataclasses, and their JSON schema
cache        replies on disk by the content of the request
cost         tokens and money
server       any HTTP endpoint: concurrency, retries
rate         requests per minute
exchange     one HTTP request: deadlines, size caps, no redirects
"""
