import math

from PIL import Image, ImageFilter

from adapters.development.simulated_ai.compositions.sheet import Composition, Sheet
from adapters.development.simulated_ai.pigments import mixed


def city(sheet: Sheet) -> Composition:
    pigments, chance = sheet.pigments, sheet.chance
    ground = chance.uniform(0.72, 0.8)
    sheet.wash(
        [[mixed(pigments.tone(0.35 + 0.6 * row / 4), pigments.any(chance), 0.25) for _ in range(4)] for row in range(5)]
    )
    x, y = chance.uniform(0.2, 0.8), chance.uniform(0.15, 0.3)
    sheet.glow(x, y, 0.22, pigments.lightest, 0.8)
    sheet.disc(x, y, 0.08, mixed(pigments.accent, pigments.lightest, 0.3))
    for row in range(3):
        left = -0.05
        while left < 1.0:
            wide = chance.uniform(0.07, 0.15)
            top = ground - chance.uniform(0.12, 0.52 - 0.13 * row)
            wall = mixed(pigments.tone(0.5 - 0.22 * row), pigments.any(chance), 0.25)
            sheet.area([(left, top), (left + wide, top), (left + wide, ground), (left, ground)], wall)
            if chance.random() < 0.35:
                sheet.area(
                    [(left, top), (left + wide / 2, top - 0.05), (left + wide, top)], mixed(wall, pigments.accent, 0.4)
                )
            _windows(sheet, left, top, wide, ground, row)
            left += wide * chance.uniform(0.85, 1.15)
    quay = sheet.image.crop((0, int((2 * ground - 1) * sheet.height), sheet.width, int(ground * sheet.height)))
    water = quay.transpose(Image.Transpose.FLIP_TOP_BOTTOM).filter(ImageFilter.GaussianBlur(sheet.width / 90))
    shore = int(ground * sheet.height)
    sheet.image.paste(Image.blend(water, Image.new("RGB", water.size, pigments.tone(0.2)), 0.35), (0, shore))

    def flow(a: float, b: float) -> float:
        if b > ground:
            return 0.2 * math.sin(9 * a + 20 * b)
        return math.pi / 2 if b > ground - 0.3 else 0.5 * math.sin(5 * a + 4 * b)

    return sheet.composition(flow)


def _windows(sheet: Sheet, left: float, top: float, wide: float, ground: float, row: int) -> None:
    lit = mixed(sheet.pigments.lightest, sheet.pigments.accent, 0.3)
    columns = 3
    gap = wide / (columns + 1)
    at = top + 0.03
    while row > 0 and at < ground - 0.03:
        for column in range(columns):
            if sheet.chance.random() < 0.55:
                x = left + gap * (column + 0.7)
                sheet.area(
                    [(x, at), (x + gap * 0.6, at), (x + gap * 0.6, at + 0.018), (x, at + 0.018)], lit, detail=True
                )
        at += 0.042
