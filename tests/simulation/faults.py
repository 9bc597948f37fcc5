from random import Random


class Faults:
    """Random faults, until they are switched off."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self.on = True

    def strike(self, chance: float) -> bool:
        return self.on and self._random.random() < chance
