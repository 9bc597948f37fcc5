import math

from adapters.development.simulated_ai.compositions.sheet import Composition, Point, Sheet
from adapters.development.simulated_ai.pigments import mixed


def flowers(sheet: Sheet) -> Composition:
    pigments, chance = sheet.pigments, sheet.chance
    sheet.wash(
        [
            [mixed(pigments.tone(chance.uniform(0.0, 0.35)), pigments.any(chance), 0.15) for _ in range(4)]
            for _ in range(5)
        ]
    )
    blossoms: list[tuple[float, float, float]] = []
    for _ in range(300):
        radius = chance.uniform(0.07, 0.19)
        x, y = chance.uniform(0.05, 0.95), chance.uniform(0.05, 0.85)
        if all(math.hypot(x - a, (y - b) * sheet.tall) > (radius + other) * 0.95 for a, b, other in blossoms):
            blossoms.append((x, y, radius))
    for x, y, _ in blossoms:
        root = x + chance.uniform(-0.15, 0.15)
        stem = mixed(pigments.tone(0.3), pigments.any(chance), 0.3)
        sheet.area([(x - 0.006, y), (x + 0.006, y), (root + 0.012, 1.02), (root - 0.012, 1.02)], stem)
    for x, y, radius in blossoms:
        outer = mixed(pigments.any(chance), pigments.accent if chance.random() < 0.4 else pigments.lightest, 0.45)
        petals = chance.randint(5, 9)
        turn = chance.uniform(0, math.tau)
        for ring, share in enumerate((1.0, 0.66)):
            colour = mixed(outer, pigments.lightest, 0.35 * ring)
            for petal in range(petals):
                angle = turn + (petal + ring / 2) * math.tau / petals
                shade = mixed(colour, pigments.tone(0.5), chance.uniform(0, 0.3))
                sheet.area(_petal(x, y, radius * share, angle, math.tau / petals * 0.62, sheet.tall), shade)
        sheet.disc(x, y, radius * 0.2, mixed(pigments.accent, pigments.darkest, 0.3))
        sheet.disc(x, y, radius * 0.1, pigments.lightest)

    def flow(x: float, y: float) -> float:
        a, b, radius = min(
            blossoms, key=lambda blossom: math.hypot(x - blossom[0], (y - blossom[1]) * sheet.tall) / blossom[2]
        )
        outward = math.atan2((y - b) * sheet.tall, x - a)
        return outward if math.hypot(x - a, (y - b) * sheet.tall) < radius else outward + math.pi / 2

    return sheet.composition(flow)


def _petal(x: float, y: float, length: float, angle: float, spread: float, tall: float) -> list[Point]:
    outline = []
    for step in range(21):
        along = step / 20
        swing = spread * (along * 2 - 1)
        reach = length * (0.25 + 0.75 * math.cos(swing / spread * math.pi / 2) ** 0.6)
        outline.append((x + math.cos(angle + swing) * reach, y + math.sin(angle + swing) * reach / tall))
    return [(x, y), *outline]
