import math

from adapters.development.simulated_ai.compositions.sheet import Composition, Sheet
from adapters.development.simulated_ai.pigments import mixed


def portrait(sheet: Sheet) -> Composition:
    pigments, chance = sheet.pigments, sheet.chance
    sheet.wash(
        [[mixed(pigments.tone(0.25 + 0.35 * row / 4), pigments.any(chance), 0.3) for _ in range(4)] for row in range(5)]
    )
    x, y, head = chance.uniform(0.46, 0.54), 0.36 + chance.uniform(-0.03, 0.03), 0.14
    up = 1 / sheet.tall
    for ring, colour in enumerate(
        (pigments.accent, pigments.tone(0.75), mixed(pigments.accent, pigments.lightest, 0.6))
    ):
        sheet.disc(x, y - 0.02 * up, 0.36 - 0.055 * ring, colour)
    for ray in range(24):
        angle = ray * math.tau / 24
        inner, outer = 0.26, 0.345
        a, b = angle - 0.04, angle + 0.04
        sheet.area(
            [
                (x + math.cos(a) * inner, y - (0.02 - math.sin(a) * inner) * up),
                (x + math.cos(angle) * outer, y - (0.02 - math.sin(angle) * outer) * up),
                (x + math.cos(b) * inner, y - (0.02 - math.sin(b) * inner) * up),
            ],
            pigments.tone(0.35),
        )
    hair = mixed(pigments.darkest, pigments.any(chance), 0.2)
    skin = mixed(pigments.lightest, pigments.tone(0.6), 0.25)
    shade = mixed(skin, pigments.tone(0.35), 0.4)
    dress = mixed(pigments.any(chance), pigments.tone(0.4), 0.3)
    sheet.disc(x, y + 0.02 * up, head * 1.5, hair, stretch=1.25)
    sheet.area(
        [(x - 0.2, y + 0.1 * up), (x + 0.2, y + 0.1 * up), (x + 0.25, y + 0.42 * up), (x - 0.25, y + 0.42 * up)], hair
    )
    sheet.area(
        [(x - 0.055, y + 0.08 * up), (x + 0.055, y + 0.08 * up), (x + 0.075, y + 0.3 * up), (x - 0.075, y + 0.3 * up)],
        shade,
    )
    shoulders = [
        (x + 0.4 * math.cos(math.pi * (1 + step / 20)), y + (0.46 + 0.24 * math.sin(math.pi * (1 + step / 20))) * up)
        for step in range(21)
    ]
    sheet.area([(x - 0.44, 1.02), *shoulders, (x + 0.44, 1.02)], dress)
    sheet.area([(x - 0.11, y + 0.24 * up), (x + 0.11, y + 0.24 * up), (x, y + 0.42 * up)], skin)
    sheet.disc(x, y, head, skin, stretch=1.32)
    sheet.area(
        [
            (x - head, y - 0.03 * up),
            (x - head * 0.7, y - 0.15 * up),
            (x + head * 0.1, y - 0.19 * up),
            (x + head * 0.95, y - 0.1 * up),
            (x + head, y + 0.02 * up),
            (x + head * 0.55, y - 0.09 * up),
            (x - head * 0.4, y - 0.08 * up),
        ],
        hair,
    )
    for side in (-1, 1):
        eye = x + side * head * 0.42
        sheet.area(
            [(eye - 0.03, y + 0.005 * up), (eye, y + 0.019 * up), (eye + 0.03, y + 0.005 * up), (eye, y + 0.027 * up)],
            hair,
            detail=True,
        )
        sheet.area(
            [
                (eye - 0.036, y - 0.033 * up),
                (eye, y - 0.046 * up),
                (eye + 0.036, y - 0.033 * up),
                (eye, y - 0.038 * up),
            ],
            hair,
            detail=True,
        )
        sheet.disc(x + side * head * 0.55, y + 0.06 * up, 0.022, mixed(skin, pigments.accent, 0.35))
    sheet.area([(x, y - 0.01 * up), (x + 0.018, y + 0.062 * up), (x - 0.006, y + 0.066 * up)], shade, detail=True)
    lips = mixed(pigments.accent, pigments.darkest, 0.25)
    sheet.area(
        [(x - 0.035, y + 0.1 * up), (x, y + 0.092 * up), (x + 0.035, y + 0.1 * up), (x, y + 0.118 * up)],
        lips,
        detail=True,
    )
    for _ in range(40):
        along, down = chance.uniform(-0.34, 0.34), chance.uniform(0.36, 0.62)
        sheet.disc(x + along, y + down * up, chance.uniform(0.008, 0.02), pigments.any(chance))

    def flow(a: float, b: float) -> float:
        around = math.atan2((b - y) * sheet.tall, a - x)
        far = math.hypot(a - x, (b - y) * sheet.tall)
        if far < head * 1.1:
            return math.pi / 2 + (a - x) * 4
        return around + math.pi / 2 + (0.4 * math.sin(far * 18) if far > 0.38 else 0.0)

    return sheet.composition(flow)
