"""Whether a reply without readable scores declines to judge, in English or Chinese.

A refusal says at its beginning that it will not or cannot do what was asked for. "I
cannot see any difference" says nothing of the kind, and neither does a reply that
holds numbers as scores are written: that one is asked again.
"""

import re

_LONGEST = 1000
"""Characters of a reply that are looked at."""

_CAN_NOT = (
    r"(?:(?:i|we) (?:can'?t|cannot|can not|could not|couldn't|won'?t|will not"
    r"|don't|do not|must not|may not)(?: be able to)?"
    r"|(?:i'?m|i am|we'?re|we are) (?:\w+ )?(?:unable|not able|not allowed"
    r"|not permitted|not in a position) to"
    r"|(?:i|we) (?:don't|do not) have (?:the |an )?(?:ability|capability|means) to)"
)
_DECLINES = (
    r"(?:(?:i|we) (?:(?:must|have to|will) )?(?:respectfully |politely )?declin"
    r"|(?:i|we) refuse\b|(?:i'?m|i am) not comfortable\b|(?:i'm|i am) programmed not)"
)
# "The logo in this picture" is what is shown, not the picture.
_PICTURE = (
    r"(?:(?!(?:in|on|of|between|from|visible|differences?|changes?)\b)\w+ ){0,4}?"
    r"(?:images?|pictures?|photos?|files?|links?|attachments?)\b"
)
_THINK = r"(?:think|believe|feel|consider|like|know)\b"
_PERCEIVE = r"(?:see|find|notice|spot|detect|tell|perceive|make out)\b"
_DO = (
    r"(?:assist|help|evaluat|assess|judg|rate\b|score\b|grade\b|critique|review|comply"
    r"|provide|answer|respond|fulfil|continue|proceed|process|analy[sz]|engage"
    r"|participate|support|perform|comment|do (?:that|this|so)\b"
    r"|give (?:\w+ ){0,2}?(?:scores?|ratings?|evaluations?|assessments?|judge?ments?)\b"
    r"|(?:see|view|access|open|look at|display) "
    # "I cannot see any difference between the images" is an answer.
    rf"(?!\w* ?(?:difference|change)){_PICTURE})"
)
_SORRY = (
    r"(?:(?:i'?m|i am|we'?re|we are) (?:\w+ )?sorry|sorry\b|i apologi[sz]e"
    r"|(?:my )?apologies|i regret|unfortunately)"
)
_AS_AN_AI = (
    r"as an? (?:\w+ ){0,3}?(?:ai|llm|language model|assistant)\b[^.!?\n]{0,60}?[,:] "
)
_ENGLISH = re.compile(
    rf"\W*(?:{_DECLINES}"
    rf"|(?:{_AS_AN_AI})?{_CAN_NOT} (?:\w+ ){{0,2}}?{_DO}"
    rf"|(?:{_AS_AN_AI})?{_CAN_NOT}\W*$"
    rf"|{_AS_AN_AI}{_DECLINES}"
    rf"|{_SORRY}\W*$"
    # After an apology anything that cannot be done is a refusal, but what is not seen,
    # and what is not thought.
    rf"|{_SORRY}[^\n]{{0,120}}?\b(?:{_DECLINES}"
    rf"|{_CAN_NOT}(?! (?:\w+ ){{0,2}}?(?:{_THINK}|{_PERCEIVE}(?! {_PICTURE})))))",
    re.IGNORECASE,
)

_CN_CAN_NOT = (
    r"(?:[无無]法|不能|不[会會]|[没沒]有?[办辦]法|不便|拒[绝絕]|不可以|[难難]以)"
)
_CN_DO = (
    r"(?:[评評][价價估分判]|打分|判[断斷]|[协協幫帮]助|[帮幫]|提供|[给給]出|回[答应應復复]"
    r"|[处處]理|分析|完成|[满滿]足|[继繼][续續]|[执執]行|[进進]行|[支]持"
    r"|(?:查看|看到|[访訪][问問]|打[开開]|[识識][别別])[^。！？\n]{0,8}?"
    r"(?:[图圖][片像]?|照片|文件|[链鏈]接))"
)
_CN_SORRY = (
    r"(?:(?:我)?(?:非常|很|十分|真的|深感|感到)?(?:抱歉|[遗遺]憾|[对對]不起|不好意思))"
)
_CN_AS_AN_AI = (
    r"(?:作[为為](?:一[个個名位款])?[^，,。！？\n]{0,20}?"
    r"(?:AI|人工智能|模型|助手)[^，,。！？\n]{0,20}?[，,])"
)
_CHINESE = re.compile(
    rf"\W*(?:{_CN_SORRY}\W*$"
    rf"|(?:{_CN_SORRY}[^\n]{{0,40}}?|{_CN_AS_AN_AI}|我|本模型|目前)?\W*"
    rf"(?:我|本模型|目前|[暂暫][时時])*{_CN_CAN_NOT}[^。！？\n]{{0,20}}?{_CN_DO})",
    re.IGNORECASE,
)

_SCORES = re.compile(
    r"[:：=\[]\W{0,3}\d|\d\s*/\s*(?:5|10)\b|[为為是得给給打]\s*\d+\s*分"
)


def is_refusal(text: str) -> bool:
    """Whether a reply declines.

    Args:
      text: in which no scores could be read.
    """
    start = text[:_LONGEST].replace("\u2019", "'").strip()
    if _SCORES.search(start):
        return False
    return bool(_ENGLISH.match(start) or _CHINESE.match(start))
