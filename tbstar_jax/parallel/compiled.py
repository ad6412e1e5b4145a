"""What a compiled program moves, calls and holds, read from its optimised HLO.

The bytes of one collective are the bytes of its result on one device (all results, when
XLA merged several), times how often it runs: an instruction inside a loop counts once
per trip, through nested loops, calls and both branches of a conditional. So

    all-gather          the gathered array; a weight sharded over `data` only counts its
                        global bytes per gather, one that stays sharded over `model`
                        its share per model-parallel device
    all-reduce          the reduced array, as each device holds it afterwards
    all-to-all          what a device receives, its own part included

The sum says how many bytes of results a device obtains per step; it does not grow with
the number of devices if the program scales.
"""

import dataclasses
import math
import re
from collections.abc import Collection, Iterator

KINDS = (
    "all-gather",
    "all-reduce",
    "all-to-all",
    "collective-permute",
    "reduce-scatter",
    "ragged-all-to-all",
    "collective-broadcast",
)
_ITEM_BYTES = {
    "pred": 1, "s8": 1, "u8": 1, "bf16": 2, "f16": 2, "s16": 2, "u16": 2,
    "s32": 4, "u32": 4, "f32": 4, "s64": 8, "u64": 8, "f64": 8,
}  # fmt: skip
_ARRAY = re.compile(r"\b(\w+)\[([\d,]*)\]")
_COMPUTATION = re.compile(r"(ENTRY )?%?([\w.\-]+) \(.*\) -> .* \{$")
_INSTRUCTION = re.compile(r"\s+(?:ROOT )?%?[\w.\-]+ = (\(.*?\)|\S+) ([\w\-]+)\(")
_TRIP_COUNT = re.compile(r'"known_trip_count":\{"n":"(\d+)"\}')
_CONDITION = re.compile(r"\bcondition=%?([\w.\-]+)")
_BOUND = re.compile(r"ROOT .* compare\(%[\w.\-]+, %([\w.\-]+)\), direction=LT")
_CALLEE = re.compile(r"\b(?:calls|to_apply|body|condition)=%?([\w.\-]+)")
_BRANCHES = re.compile(r"\bbranch_computations=\{([^}]*)\}")
_OP_NAME = re.compile(r'op_name="([^"]*)"')
_CALL_TARGET = re.compile(r'custom_call_target="([^"]*)"')

# Results that are, or may be, what another instruction made or the program was given.
_NO_BUFFER = ("parameter", "get-tuple-element", "tuple", "while", "bitcast", "constant")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Collective:
    """One collective instruction.

    Attributes:
      kind: one of `KINDS`.
      shape: the result as HLO writes it, on one device.
      trips: how often a step runs it.
      num_bytes: of the result, once.
      op_name: the operation of the source program it came from.
    """

    kind: str
    shape: str
    trips: int
    num_bytes: int
    op_name: str

    @property
    def total_bytes(self) -> int:
        """Bytes of the results of one step."""
        return self.trips * self.num_bytes


@dataclasses.dataclass(frozen=True, kw_only=True)
class Buffer:
    """An array that the program makes on one device.

    Attributes:
      dtype: as HLO writes it.
      shape: its sides.
    """

    dtype: str
    shape: tuple[int, ...]

    @property
    def num_bytes(self) -> int:
        """Bytes of the array."""
        return math.prod(self.shape) * _ITEM_BYTES.get(self.dtype, 0)

    def __str__(self) -> str:
        """The array as HLO writes it, without its layout."""
        return f"{self.dtype}[{','.join(map(str, self.shape))}]"


@dataclasses.dataclass(frozen=True)
class _Instruction:
    """A line of a computation that a step runs, and how often."""

    line: str
    shape: str
    opcode: str
    trips: int
    is_fused: bool


def read_collectives(hlo: str) -> list[Collective]:
    """Lists the collectives of a program, `compiled.as_text()`."""
    found = []
    for instruction in _instructions(hlo):
        kind = instruction.opcode.removesuffix("-start")
        if kind not in KINDS:
            continue
        shape = instruction.shape
        if instruction.opcode.endswith("-start") and shape.startswith("("):
            # (operands, results, ...): the second is what the other devices sent.
            shape = _second(shape)
        op_name = _OP_NAME.search(instruction.line)
        found.append(
            Collective(
                kind=kind,
                shape=shape,
                trips=instruction.trips,
                num_bytes=sum(buffer.num_bytes for buffer in _arrays(shape)),
                op_name=op_name[1] if op_name else "",
            )
        )
    return found


def count_calls(hlo: str, targets: str) -> dict[str, int]:
    """How often a step calls kernels that XLA did not write.

    Args:
      hlo: `compiled.as_text()`.
      targets: a regex that matches the beginning of their names.

    Returns:
      Name to number of calls, loops counted once per trip.
    """
    counts: dict[str, int] = {}
    for instruction in _instructions(hlo):
        target = _CALL_TARGET.search(instruction.line)
        if target and re.match(targets, target[1]):
            counts[target[1]] = counts.get(target[1], 0) + instruction.trips
    return counts


def read_buffers(hlo: str) -> list[Buffer]:
    """The different arrays a program makes outside its fusions, largest first.

    Arguments are not among them; whether two of them share memory is not told.
    """
    found = {
        buffer
        for instruction in _instructions(hlo)
        if not instruction.is_fused and instruction.opcode not in _NO_BUFFER
        for buffer in _arrays(instruction.shape)
    }
    return sorted(found, key=lambda buffer: (-buffer.num_bytes, str(buffer)))


def square_buffers(
    buffers: Collection[Buffer], token_counts: Collection[int], folds: Collection[int]
) -> list[Buffer]:
    """Those with a side for queries and another for keys, such as a mask or logits.

    Args:
      buffers: of `read_buffers`.
      token_counts: numbers of queries or keys that one attention can have.
      folds: what a side may be folded with: heads, examples, both.
    """
    sides = {count * fold for count in token_counts for fold in (1, *folds)}
    return [
        buffer for buffer in buffers if sum(side in sides for side in buffer.shape) > 1
    ]


def bytes_by_kind(collectives: list[Collective]) -> dict[str, int]:
    """Total bytes per kind, zero where there is none."""
    totals = dict.fromkeys(KINDS, 0)
    for collective in collectives:
        totals[collective.kind] += collective.total_bytes
    return totals


def report(collectives: list[Collective]) -> str:
    """The collectives, largest first, for the message of a failed assertion."""
    ordered = sorted(collectives, key=lambda c: -c.total_bytes)
    return "\n".join(
        f"{c.total_bytes:>12,} {c.kind} x{c.trips} {c.shape} {c.op_name}"
        for c in ordered
    )


def _instructions(hlo: str) -> Iterator[_Instruction]:
    """Every instruction a step runs, once per place it is called from."""
    computations, entry = _computations(hlo)

    def visit(name: str, trips: int, is_fused: bool) -> Iterator[_Instruction]:
        for line in computations[name]:
            match = _INSTRUCTION.match(line)
            if match is None:
                continue
            shape, opcode = match.groups()
            yield _Instruction(line, shape, opcode, trips, is_fused)
            if opcode.removesuffix("-start") in KINDS:
                continue  # its to_apply is the reduction of two numbers
            inner = trips
            if opcode == "while":
                inner = trips * _trip_count(line, computations)
            callees = _CALLEE.findall(line)
            for group in _BRANCHES.findall(line):
                callees += [part.strip().lstrip("%") for part in group.split(",")]
            for callee in callees:
                yield from visit(callee, inner, is_fused or opcode == "fusion")

    yield from visit(entry, 1, False)


def _trip_count(line: str, computations: dict[str, list[str]]) -> int:
    """How often a loop runs: as XLA notes it, or as its condition counts from 0."""
    count = _TRIP_COUNT.search(line)
    if count is None:
        condition = _CONDITION.search(line)
        text = "\n".join(computations[condition[1]] if condition else [])
        bound = _BOUND.search(text)
        assert bound, f"a loop without a known trip count: {line}"
        count = re.search(rf"%{re.escape(bound[1])} = s32\S* constant\((\d+)\)", text)
    assert count, f"a loop without a known trip count: {line}"
    return int(count[1])


def _computations(hlo: str) -> tuple[dict[str, list[str]], str]:
    """The lines of every computation, and the entry's name."""
    computations: dict[str, list[str]] = {}
    entry = ""
    lines: list[str] = []
    for line in hlo.splitlines():
        match = _COMPUTATION.match(line)
        if match:
            lines = computations.setdefault(match[2], [])
            entry = match[2] if match[1] else entry
        else:
            lines.append(line)
    assert entry, "no ENTRY computation"
    return computations, entry


def _arrays(shape: str) -> list[Buffer]:
    return [
        Buffer(dtype=dtype, shape=tuple(int(side) for side in sides.split(",") if side))
        for dtype, sides in _ARRAY.findall(shape)
    ]


def _second(shape: str) -> str:
    """The second element of a tuple as HLO writes it, itself an array or a tuple."""
    parts, depth = [""], 0
    for character in shape[1:-1]:
        depth += character in "([{"
        depth -= character in ")]}"
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts[1].strip()
