"""Who made a result: the algorithm that analysed the images, and the node that sends them."""

import functools
from dataclasses import dataclass

from highdicom import ContributingEquipment

from pacs_ai.dicom.constant_dataset import Constant
from pacs_ai.domain import ModelIdentity
from pacs_ai.results.common.codes import PROCESSING_EQUIPMENT
from pacs_ai.results.common.context import MANUFACTURER, MODEL_NAME
from pacs_ai.results.common.prebuilt import shared
from pacs_ai.uids import derived_uid


@dataclass(frozen=True, slots=True)
class Observer:
    """The device whose observations a report states (TID 1004). ``serial`` may be ""."""

    uid: str
    name: str
    manufacturer: str
    serial: str = ""


def observer_of(model: ModelIdentity, installation_uid: str) -> Observer:
    """Return the device that observed: the model, or the node where no model was asked."""
    if not model.name:
        return Observer(installation_uid, MODEL_NAME, MANUFACTURER, installation_uid)
    return Observer(device_uid(model), model.name, model.manufacturer)


def device_uid(model: ModelIdentity) -> str:
    """Device UID (0018,1002) of a model: another one after each training.

    Notes
    -----
    Derived from the weights and from all that the bundle states: an operating point that is moved
    makes another device of it, too.
    """
    return derived_uid("device", model.name, model.version, model.sha256, model.manifest_sha256)


@functools.lru_cache(maxsize=64)
def contributing_equipment(model: ModelIdentity) -> tuple[Constant, ...]:
    """Items of Contributing Equipment Sequence (PS3.3 Section C.12.1): one for each algorithm.

    Notes
    -----
    IHE AI Results (Rev. 1.3, Section 6.5.3.1) asks for manufacturer, name, version and Device UID,
    with this purpose.
    """
    if not model.name:
        return ()
    computed = f" Computed by {model.runtime}." if model.runtime else ""
    item = ContributingEquipment(
        model.manufacturer,
        PROCESSING_EQUIPMENT,
        manufacturer_model_name=model.name,
        software_versions=model.version,
        contribution_description=f"Classified the images; drew the heat maps.{computed}",
    )
    item.DeviceUID = device_uid(model)
    return (shared(item),)
