"""Collectives of a compiled program, read from its optimised HLO.

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
import re

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
_ARRAY = re.compile(r"(\w+)\[([\d,]*)\]")
_COMPUTATION = re.compile(r"(ENTRY )?%?([\w.\-]+) \(.*\) -> .* \{$")
_INSTRUCTION = re.compile(r"\s+(?:ROOT )?%?[\w.\-]+ = (\(.*?\)|\S+) ([\w\-]+)\(")
_TRIP_COUNT = re.compile(r'"known_trip_count":\{"n":"(\d+)"\}')
_CALLEE = re.compile(r"\b(?:calls|to_apply|body|condition)=%?([\w.\-]+)")
_BRANCHES = re.compile(r"\bbranch_computations=\{([^}]*)\}")
_OP_NAME = re.compile(r'op_name="([^"]*)"')


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
        return self.trips * self.num_bytes


def read_collectives(hlo: str) -> list[Collective]:
    """Lists the collectives of a program, `compiled.as_text()`."""
    computations, entry = _computations(hlo)
    found: list[Collective] = []

    def visit(name: str, trips: int) -> None:
        for line in computations[name]:
            match = _INSTRUCTION.match(line)
            if match is None:
                continue
            shape, opcode = match.groups()
            assert not opcode.endswith("-start"), f"asynchronous collective: {line}"
            if opcode in KINDS:
                op_name = _OP_NAME.search(line)
                found.append(
                    Collective(
                        kind=opcode,
                        shape=shape,
                        trips=trips,
                        num_bytes=_num_bytes(shape),
                        op_name=op_name[1] if op_name else "",
                    )
                )
                continue  # its to_apply is the reduction of two numbers
            inner = trips
            if opcode == "while":
                count = _TRIP_COUNT.search(line)
                assert count, f"a loop without a known trip count: {line}"
                inner = trips * int(count[1])
            callees = _CALLEE.findall(line)
            for group in _BRANCHES.findall(line):
                callees += [part.strip().lstrip("%") for part in group.split(",")]
            for callee in callees:
                visit(callee, inner)

    visit(entry, 1)
    return found


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


def _num_bytes(shape: str) -> int:
    total = 0
    for dtype, sides in _ARRAY.findall(shape):
        size = _ITEM_BYTES[dtype]
        for side in sides.split(","):
            size *= int(side) if side else 1
        total += size
    return total
