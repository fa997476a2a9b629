"""Goals of the bench, each told as met or missed on a line of its own."""


def tell_goal(goal: str, found: float | None, *, at_least: float | None = None, at_most: float | None = None) -> bool:
    """Print whether a goal was met, with what was found, and return it; what did not run is not measured and not met.

    Args:
        goal: what is compared.
        found: the figure.
        at_least: the least it may be.
        at_most: the most it may be.
    """
    limits = [f"at {word} {limit:g}" for word, limit in (("least", at_least), ("most", at_most)) if limit is not None]
    wanted = " and ".join(limits)
    if found is None:
        print(f"{'not run':9}{goal}, wanted {wanted}")
        return False
    holds = (at_least is None or found >= at_least) and (at_most is None or found <= at_most)
    print(f"{'met' if holds else 'MISSED':9}{goal}: {found:.2f}, wanted {wanted}")
    return holds
