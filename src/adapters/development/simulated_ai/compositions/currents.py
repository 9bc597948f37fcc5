import math

from adapters.development.simulated_ai.compositions.sheet import Composition, Sheet
from adapters.development.simulated_ai.pigments import mixed


def currents(sheet: Sheet) -> Composition:
    pigments, chance = sheet.pigments, sheet.chance
    sheet.wash(
        [
            [mixed(pigments.tone(chance.uniform(0.1, 0.9)), pigments.any(chance), 0.5) for _ in range(4)]
            for _ in range(4)
        ]
    )
    swirl = sheet.swirl()
    for ribbon in range(46):
        x, y = chance.uniform(-0.1, 1.1), chance.uniform(-0.1, 1.1)
        colour = mixed(
            pigments.any(chance), pigments.accent if ribbon % 6 == 0 else pigments.tone(chance.random()), 0.4
        )
        wide, one, other = chance.uniform(0.012, 0.05), [], []
        steps = 70
        for step in range(steps):
            angle = swirl(x, y)
            half = wide * math.sin(math.pi * step / (steps - 1))
            one.append((x - math.sin(angle) * half, y + math.cos(angle) * half / sheet.tall))
            other.append((x + math.sin(angle) * half, y - math.cos(angle) * half / sheet.tall))
            x, y = x + 0.014 * math.cos(angle), y + 0.014 * math.sin(angle) / sheet.tall
        sheet.area([*one, *reversed(other)], colour)
    for _ in range(chance.randint(4, 8)):
        x, y, radius = chance.random(), chance.random(), chance.uniform(0.02, 0.07)
        sheet.glow(x, y, radius * 2, pigments.lightest, 0.6)
        sheet.disc(x, y, radius, mixed(pigments.accent, pigments.lightest, chance.uniform(0.1, 0.7)))
        sheet.disc(x, y, radius * 0.6, mixed(pigments.accent, pigments.lightest, 0.8))
    return sheet.composition(swirl)
