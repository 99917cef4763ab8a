"""Rebuild the font that the toolkit draws with from that of Debian's fonts-noto-cjk, to the same bytes.

uv run python datasets/make/font.py /usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc
"""

from __future__ import annotations

import sys
from pathlib import Path

from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTCollection, TTFont

FAMILY = "Live Commerce Sans"
TARGET = Path(__file__).parents[2] / "toolkit" / "fonts" / "LiveCommerceSans.otf"
LATIN = [range(0x20, 0x180), range(0x2010, 0x2028), range(0x2030, 0x2040), range(0x2190, 0x219A)]


def characters() -> set[int]:
    """Code points of GB 2312, of Latin text, and of the signs that statistics use."""
    chosen = {point for block in LATIN for point in block} | {
        ord(sign) for sign in "¥€−×÷±≈≠≤≥∞√∑∆αβγδεθλμπρσφχ①②③"
    }
    for row in range(0xA1, 0xF8):
        chosen.update(
            map(ord, bytes(b for cell in range(0xA1, 0xFF) for b in (row, cell)).decode("gb2312", "ignore"))
        )
    return chosen


def rename(font: TTFont) -> None:
    """Give the font a name of its own, as its licence asks of a changed version; the notices stay."""
    post_script = FAMILY.replace(" ", "")
    names = {1: FAMILY, 2: "Regular", 3: f"{post_script}-2.004", 4: FAMILY, 6: post_script}
    table = font["name"]
    table.names = [
        record for record in table.names if record.nameID in {0, 5, 13, 14} and record.langID == 0x409
    ]
    for number, text in names.items():
        table.setName(text, number, 3, 1, 0x409)
    outlines = font["CFF "].cff
    outlines.fontNames = [post_script]
    outlines[0].FullName, outlines[0].FamilyName = FAMILY, FAMILY


def subset(source: Path) -> None:
    """Write the Simplified Chinese face of the collection `source` to `TARGET`."""
    faces = TTCollection(source, recalcTimestamp=False).fonts
    font = next(face for face in faces if face["name"].getDebugName(1) == "Noto Sans CJK SC")
    options = Options(
        layout_features=["kern"], hinting=False, desubroutinize=False, notdef_outline=True, name_IDs=["*"]
    )
    subsetter = Subsetter(options)
    subsetter.populate(unicodes=characters())
    subsetter.subset(font)
    rename(font)
    font.save(TARGET)


if __name__ == "__main__":
    subset(Path(sys.argv[1]))
