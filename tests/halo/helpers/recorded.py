"""Progress that remembers what it was told, and checks that it makes sense."""

from itertools import pairwise


class Recorded:
    """A `Progress`: every call in order, the steps that were announced, and those that were kept."""

    def __init__(self):
        self.said, self.steps, self.skipped = [], (), []

    def __call__(self, stage, done, total):
        self.said.append((stage, done, total))

    def announce(self, steps):
        self.steps = self.steps or tuple(steps)

    def kept(self, step):
        self.skipped.append(step)

    def check(self):
        """Every stage rises, never goes beyond its total, and ends at it; every announced step comes, in order."""
        assert self.said
        for stage in dict.fromkeys(stage for stage, _, _ in self.said):
            calls = [(done, total) for name, done, total in self.said if name == stage]
            assert all(0 <= done <= total for done, total in calls), (stage, calls)
            assert len({total for _, total in calls}) == 1, (stage, calls)
            assert all(one[0] <= two[0] for one, two in pairwise(calls)), (stage, calls)
            assert calls[-1][0] == calls[-1][1], (stage, calls)
        begun = [stage for stage in dict.fromkeys(stage for stage, _, _ in self.said) if stage in self.steps]
        assert begun == [step for step in self.steps if step not in self.skipped]
