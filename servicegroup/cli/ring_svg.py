"""The rings as an SVG picture: each host's pieces where they lie, and its shares as bars."""

from __future__ import annotations

import colorsys
import math
import textwrap
from collections.abc import Sequence
from xml.etree import ElementTree as ET

from servicegroup.cli.terminal import printable
from servicegroup.conductor import Load
from servicegroup.hashring import TOP, HashRing
from servicegroup.policy import RING

_OUTER, _INNER = 150.0, 105.0
_CENTRE = 190.0
_WIDTH, _BAR, _LINE = 1080, 190, 20
_NAMES, _SHARES = 380, 640
#: Characters that fit beside the bars, and into the lines above them.
_NAME, _TITLE, _DRIVERS = 34, 90, 130
#: Most hosts with bars of their own.
_MOST = 60
#: More conductors have one piece each, as large as all of theirs together.
_MOST_SCATTERED = 100


def picture(loads: Sequence[Load]) -> str:
    """Return the picture of all rings, one below the other."""
    drawn = []
    top = 20.0
    for load in loads:
        group, height = _ring(load)
        group.set("transform", f"translate(0 {top:.0f})")
        drawn.append(group)
        top += height
    if not loads:
        drawn.append(_text(20, 40, "No conductor serves any node.", 16))
        top = 80
    root = ET.Element(
        "svg",
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {_WIDTH} {top:.0f}",
        width=str(_WIDTH),
        height=f"{top:.0f}",
        attrib={"font-family": "sans-serif", "fill": "#222"},
    )
    ET.SubElement(root, "rect", width="100%", height="100%", fill="#fff")
    root.extend(drawn)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def title(load: Load) -> str:
    """Say in one line which ring it is."""
    return f"{_group(load)}, {_drivers(load)}: {_numbers(load)}"


def column(load: Load) -> str:
    """Say what ``portions`` are portions of."""
    return "share of the ring" if load.policy == RING else "due share"


def _ring(load: Load) -> tuple[ET.Element, float]:
    whole = ET.Element("g")
    head = f"{_cut(_group(load), _TITLE - len(_numbers(load)))}: {_numbers(load)}"
    whole.append(_text(20, 16, head, 16, weight="bold"))
    drivers = textwrap.shorten(_drivers(load), _DRIVERS, placeholder=" ...")
    whole.append(_text(20, 36, drivers, 12))
    group = ET.SubElement(whole, "g", transform=f"translate(0 {_LINE})")
    shares, hosts = load.portions, load.hosts
    total = sum(load.nodes.values())
    begin = 0.0
    for number, host in enumerate(hosts):
        pieces = [(begin, begin + shares[host])]
        if load.ring is not None and len(hosts) <= _MOST_SCATTERED:
            pieces = _lie(load.ring, host)
        begin += shares[host]
        drawn = "".join(_piece(*part) for piece in pieces for part in _halved(*piece))
        path = ET.SubElement(group, "path", d=drawn, fill=_colour(number))
        ET.SubElement(path, "title").text = f"{printable(host)}: {shares[host]:.1%}"
    for line, words in enumerate(_numbers(load).split(", ")[:2]):
        group.append(_text(_CENTRE, _CENTRE + 16 + 24 * line, words, 18, anchor="middle"))
    _bars(group, load, total)
    lines = min(len(hosts), _MOST) + (len(hosts) > _MOST)
    return whole, max(2 * _CENTRE, 70 + _LINE * lines) + 20 + _LINE


def _bars(group: ET.Element, load: Load, total: int) -> None:
    shares, hosts = load.portions, load.hosts
    ordered = sorted(range(len(hosts)), key=lambda number: -load.nodes[hosts[number]])
    if len(hosts) <= _MOST:
        ordered.sort()
    group.append(_text(_NAMES, 46, "dashed: an equal share", 12))
    for left, words in ((_SHARES, column(load)), (_SHARES + _BAR + 30, "nodes")):
        group.append(_text(left, 46, words, 12))
    of_nodes = {host: count / total if total else 0.0 for host, count in load.nodes.items()}
    largest = max(*shares.values(), *of_nodes.values(), 1e-9)
    for line, number in enumerate(ordered[:_MOST]):
        host, y = hosts[number], 66 + _LINE * line
        name = _text(_NAMES, y, _cut(host, _NAME), 12)
        ET.SubElement(name, "title").text = printable(host)
        group.append(name)
        for left, share, words in (
            (_SHARES, shares[host], f"{shares[host]:.1%}"),
            (_SHARES + _BAR + 30, of_nodes[host], f"{load.nodes[host]:,}"),
        ):
            width = (_BAR - 55) * share / largest
            ET.SubElement(
                group,
                "rect",
                x=str(left),
                y=f"{y - 11}",
                width=f"{width:.1f}",
                height="14",
                fill=_colour(number),
            )
            group.append(_text(left + _BAR - 50, y, words, 11))
    bottom = 60 + _LINE * min(len(ordered), _MOST)
    for left in (_SHARES, _SHARES + _BAR + 30):
        x = f"{left + (_BAR - 55) / len(hosts) / largest:.1f}"
        equal = ET.SubElement(group, "line", x1=x, x2=x, y1="52", y2=str(bottom), stroke="#222")
        equal.set("stroke-dasharray", "3 3")
        ET.SubElement(equal, "title").text = f"an equal share: {1 / len(hosts):.1%}"
    if len(ordered) > _MOST:
        words = f"and {len(ordered) - _MOST:,} more, none with more nodes"
        group.append(_text(_NAMES, 66 + _LINE * _MOST, words, 12))


def _group(load: Load) -> str:
    group = load.kinds[0].conductor_group
    return f"conductor group {printable(group)}" if group else "default conductor group"


def _drivers(load: Load) -> str:
    return printable(", ".join(kind.driver for kind in load.kinds))


def _numbers(load: Load) -> str:
    by = "" if load.policy == RING else f", by policy {load.policy}"
    hosts, nodes = len(load.hosts), sum(load.nodes.values())
    return f"{hosts:,} conductor{'s' * (hosts != 1)}, {nodes:,} nodes{by}"


def _cut(words: str, length: int) -> str:
    """Leave out the middle of what is too long: names differ at either end."""
    if len(words) <= length:
        return words
    return f"{words[: (length - 1) // 2]}…{words[-(length // 2) :]}"


def _lie(ring: HashRing, host: str) -> list[tuple[float, float]]:
    """Return where the host's pieces of the ring lie, as shares of its round."""
    return [
        (int.from_bytes(first) / (TOP + 1), (int.from_bytes(last) + 1) / (TOP + 1))
        for first, last in ring.spans(host)
    ]


def _halved(start: float, end: float) -> list[tuple[float, float]]:
    """Return two pieces for one of more than half a round, which SVG would draw the other way."""
    middle = (start + end) / 2
    return [(start, middle), (middle, end)] if end - start > 0.5 else [(start, end)]


def _piece(start: float, end: float) -> str:
    """Return a piece of the ring between two shares of its round."""
    (x1, y1), (x2, y2) = _at(start, _OUTER), _at(end, _OUTER)
    (x3, y3), (x4, y4) = _at(end, _INNER), _at(start, _INNER)
    return (
        f"M{x1:.2f} {y1:.2f}A{_OUTER} {_OUTER} 0 0 1 {x2:.2f} {y2:.2f}"
        f"L{x3:.2f} {y3:.2f}A{_INNER} {_INNER} 0 0 0 {x4:.2f} {y4:.2f}Z"
    )


def _at(share: float, radius: float) -> tuple[float, float]:
    angle = 2 * math.pi * share
    return _CENTRE + radius * math.sin(angle), _CENTRE + 20 - radius * math.cos(angle)


def _colour(number: int) -> str:
    """Return a colour that differs from its neighbours': the golden angle apart."""
    parts = colorsys.hls_to_rgb(number * 0.381966 % 1, 0.5 + number % 2 * 0.1, 0.6)
    return "#" + "".join(f"{round(255 * part):02x}" for part in parts)


def _text(
    x: float, y: float, words: str, size: int, *, anchor: str = "start", weight: str = "normal"
) -> ET.Element:
    element = ET.Element("text", x=f"{x:.1f}", y=f"{y:.1f}")
    element.set("font-size", str(size))
    element.set("text-anchor", anchor)
    element.set("font-weight", weight)
    element.text = printable(words)
    return element
