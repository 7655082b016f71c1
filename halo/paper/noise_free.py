"""What the method makes of a mock's expected counts: the paper's numbers without the noise of the stars at hand."""

from __future__ import annotations

from typing import Any

from ..fits.apply import Application, apply_mixtures
from ..fits.fit import fit_mixtures
from ..mock.truth import without_noise
from ..products.boundary import boundary_of
from .numbers import products_of, two_components
from .study import Study


def noise_free_numbers(study: Study, selection: str) -> dict[str, float] | None:
    """Return the paper's numbers of a fit of the mock's expected counts; None where no mock or none is asked for."""
    if not study.is_mock or study.settings.expected == 0:
        return None
    two, known = study.two(selection), study.truth(selection)
    images = study.population_images(two.fit.settings.chemistry)

    def quiet(mixtures: Any) -> Any:
        return without_noise(mixtures, known.population, images)

    ideal = fit_mixtures(quiet(two.fit.mixtures), two.stars, two.fit.cutflow, two.fit.settings)

    def applied(application: Application) -> Application:
        return apply_mixtures(ideal, quiet(application.mixtures), application.cutflow)

    applications = {name: applied(application) for name, application in two.applications.items()}
    products = products_of(ideal, applications, boundary_of(applied(two.line.application)))
    return two_components(selection, products, two.base.coordinates)
