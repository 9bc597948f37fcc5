import math

from adapters.development.simulated_ai.compositions.sheet import Composition, Sheet
from adapters.development.simulated_ai.pigments import mixed


def sea(sheet: Sheet) -> Composition:
    pigments, chance = sheet.pigments, sheet.chance
    horizon = chance.uniform(0.34, 0.46)
    sheet.wash(
        [[mixed(pigments.tone(0.6 + 0.4 * row / 3), pigments.any(chance), 0.2) for _ in range(4)] for row in range(4)]
    )
    x = chance.uniform(0.3, 0.7)
    sheet.glow(x, horizon, 0.3, pigments.lightest, 0.8)
    sheet.disc(x, horizon, 0.12, mixed(pigments.accent, pigments.lightest, 0.2))
    bands = 14
    for band in range(bands):
        depth = band / (bands - 1)
        wave = sheet.wave(3)
        base = horizon + (1 - horizon) * depth**1.4
        colour = mixed(pigments.tone(0.5 - 0.45 * depth), pigments.any(chance), 0.12 + 0.2 * (band % 2))
        steps = [step / 60 for step in range(61)]
        sheet.area(
            [(0, 1), *((at, base + (0.006 + 0.03 * depth) * wave(at * (3 - 2 * depth))) for at in steps), (1, 1)],
            colour,
        )
    for glint in range(26):
        depth = (glint + chance.random()) / 26
        wide = (0.02 + 0.09 * depth) * chance.uniform(0.4, 1)
        at = x + chance.uniform(-0.5, 0.5) * (0.1 + 0.25 * depth)
        down = horizon + 0.01 + (0.9 - horizon) * depth**1.3
        shine = mixed(pigments.lightest, pigments.accent, chance.uniform(0, 0.6))
        sheet.area([(at - wide, down), (at, down - 0.006), (at + wide, down), (at, down + 0.008)], shine, detail=True)

    def flow(x: float, y: float) -> float:
        return 0.25 * math.sin(6 * x + 9 * y) if y > horizon else 0.3 * math.sin(4 * x - 2 * y)

    return sheet.composition(flow)
