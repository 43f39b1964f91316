"""Broken VAEs must be diagnosed by their right name, healthy ones must be left in peace."""

import pytest
import torch
from doctor_cases import BROKEN, HEALTHY
from doctor_patients import SEEDS, pictures, train

from vae_course.doctor import examine

pytestmark = pytest.mark.slow


def show(record_property, case, right, found):
    """One line of the table that conftest.py prints at the end."""
    named = {name: sum(name in names for names in found) for names in found for name in names}
    others = ", ".join(f"{name} {n}" for name, n in sorted(named.items()) if name != case.says)
    line = f"{case.name:<52} {case.says or 'clean':<27} {right}/{SEEDS}  {others}"
    record_property("table", line)


def vmap_loss(case):
    """Training needs a scalar to minimise."""

    def loss(*answers):
        result = case.loss(*answers)
        result = result["loss"] if isinstance(result, dict) else result
        return (-result if case.name.startswith("an ELBO") else result).mean()

    return loss


def reports(case):
    """One report for each seed."""
    training, test = (case.prepare(x) for x in pictures())
    training = training[:, : case.few]
    steps, lr = (80, 8e-3) if case.says else (320, 2e-2)  # a healthy one must come to rest
    steps = steps if case.steps is None else case.steps
    models = train(case.make, vmap_loss(case), training, steps=steps, lr=lr)
    for model, x, new in zip(models, training, test, strict=True):
        new = torch.cat([new, x[:50]]) if case.says == "test_in_train" else new
        loss = case.loss if case.tells_loss else None
        yield examine(model.encode, model.decode, x, loss, test_images=new, **case.options)


@pytest.mark.parametrize("case", BROKEN, ids=lambda case: case.name)
def test_broken(case, record_property):
    found = [report.names for report in reports(case)]
    right = sum(names[:1] == (case.says,) for names in found)
    show(record_property, case, right, found)
    for names in found:
        assert names[:1] == (case.says,)
        assert case.also <= set(names)
        assert set(names) - {case.says} <= case.follows


@pytest.mark.parametrize("case", HEALTHY, ids=lambda case: case.name)
def test_healthy(case, record_property):
    found = [report.names for report in reports(case)]
    right = sum(names == () for names in found)
    show(record_property, case, right, found)
    assert found == [()] * SEEDS
