import math

from adapters.development.simulated_ai.compositions.sheet import Composition, Sheet
from adapters.development.simulated_ai.pigments import mixed


def landscape(sheet: Sheet) -> Composition:
    pigments, chance = sheet.pigments, sheet.chance
    horizon = chance.uniform(0.42, 0.55)
    sky = [
        [mixed(pigments.tone(0.55 + 0.45 * row / 4), pigments.any(chance), 0.25) for _ in range(4)] for row in range(5)
    ]
    sheet.wash([*sky, *sky[::-1][:3]])
    x, y, radius = chance.uniform(0.2, 0.8), horizon * chance.uniform(0.35, 0.7), chance.uniform(0.07, 0.11)
    sheet.glow(x, y, radius * 2.4, pigments.lightest, 0.7)
    sheet.disc(x, y, radius, mixed(pigments.accent, pigments.lightest, 0.25))
    ridges = 5
    waves = []
    for ridge in range(ridges):
        depth = ridge / (ridges - 1)
        wave = sheet.wave(5 - ridge // 2)
        base, rise = horizon + (0.95 - horizon) * depth**1.2, 0.1 - 0.04 * depth
        colour = mixed(pigments.tone(0.62 - 0.62 * depth), pigments.any(chance), 0.22)
        steps = [step / 60 for step in range(61)]
        sheet.area([(0, 1), *((at, base + rise * wave(at)) for at in steps), (1, 1)], colour)
        waves.append(wave)

    def flow(x: float, y: float) -> float:
        if y < horizon - 0.08:
            return 0.35 * math.sin(5 * x + 3 * y) + 0.2
        return 0.5 * waves[2](x + 0.1) - 0.15

    return sheet.composition(flow)
