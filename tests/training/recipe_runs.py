"""Small runs that together take every documented value of every key of a recipe."""

from collections.abc import Mapping
from typing import Any

CLASSES = [
    {
        "name": name,
        "positive": positive,
        "threshold": 0.4,
        "code": {"value": name, "scheme": "99X", "meaning": name},
        **({"undetermined": [0.3, 0.5]} if positive else {}),
    }
    for name, positive in (("a", False), ("b", True))
]
BASE: dict[str, Any] = {
    "split": {"validation": 0.3, "test": 0.3, "leakage": "report"},
    "input": {
        "height": 16,
        "width": 16,
        "preprocess": "letterbox-v1",
        "modalities": ["CT", "MR", "CR", "DX", "OT"],
        "max_images": 8,
    },
    "feeding": {"batch": 8, "workers": 1},
    "network": {
        "architecture": "small-resnet",
        "stem": 2,
        "stages": [2],
        "blocks": 1,
        "halvings": 0,
    },
    "optimisation": {"epochs": 1, "learning_rate": 1e-3},
    "evaluation": {"resamples": 100, "worst": 1},
    "explanation": {"images": 1, "steps": 1, "curve_images": 1, "curve_steps": 2, "channels": 1},
    "release": {
        "name": "x",
        "version": "1",
        "manufacturer": "m",
        "description": "d",
        "activation": "softmax",
    },
    "classes": CLASSES,
}

DATA: dict[str, dict[str, Any]] = {
    "folders": {"folder": "folders"},
    "table": {
        "folder": "pics",
        "labels": "pics/labels.csv",
        "file_column": "picture",
        "label_column": "kind",
        "patient_column": "who",
        "split_column": "part",
        "box_columns": ["x0", "y0", "x1", "y1"],
        "crop": {"margin": 0.2, "square": False},
        "names": {"0": "a", "1": "b", "?": ""},
        "separator": "|",
        "modality": "MR",
        "unlabelled": "drop",
        "unreadable": "drop",
        "where": {"who": "P*"},
    },
    "plain": {
        "folder": "pics",
        "labels": "pics/labels.csv",
        "file_column": "picture",
        "label_column": "kind",
        "patient_column": "who",
        "names": {"0": "a", "1": "b", "?": ""},
        "unlabelled": "drop",
        "unreadable": "drop",
    },
}
for _data in DATA.values():
    _data["source"] = "pictures"

TEXTS = ("banner", "intended_use", "out_of_scope", "population", "reference_standard")
TEXTS += ("ethics", "funding", "data_licence", "contact")

SIGMOID = {"activation": "sigmoid"}
COLUMNS = {
    **DATA["plain"],
    "labels": "pics/columns.csv",
    "label_column": "none",
    "names": {"one": "a", "two": "b"},
}

RUNS: dict[str, tuple[str, dict[str, Any]]] = {
    "folders": (
        "dataset",
        {
            "data": {**DATA["folders"], "patient_pattern": r"(\d+)\.png$"},
            "split": {"by": "given", "group": "near-duplicates", "salt": "b", "near_bits": 2},
            "input": {"windows": {"CT": [40, 400]}, "images": "central-5"},
            "limit": 12,
        },
    ),
    "strict": ("dataset", {"data": DATA["folders"], "split": {"leakage": "refuse"}}),
    "columns": (
        "evaluate",
        {
            "data": {**COLUMNS, "label_columns": ["one", "two"]},
            "input": {"eight_bits": "stretched"},
            "release": {"activation": "sigmoid", "aggregation": "top-3-mean"},
            "optimisation": {"monitor": "auc"},
        },
    ),
    **{
        uncertain: (
            "dataset",
            {"data": {**COLUMNS, "uncertain": uncertain}, "release": SIGMOID},
        )
        for uncertain in ("negative", "positive", "drop")
    },
    "phantoms": (
        "dataset",
        {
            "data": {
                "source": "phantom",
                "folder": "phantoms",
                "train_studies": 4,
                "validation_studies": 4,
                "test_studies": 4,
                "seed": 3,
            },
            "split": {"leakage": "drop", "near_correlation": 0.99},
            "input": {"images": "every-4"},
        },
    ),
    "sigmoid": (
        "export",
        {
            "data": DATA["table"],
            "release": {"activation": "sigmoid", "aggregation": "noisy-or"},
            "augmentation": {
                "flip_horizontal": True,
                "flip_vertical": True,
                "rotation_degrees": 10,
                "shift": 0.1,
                "zoom": 0.1,
                "fill": "black",
                "contrast": 0.1,
                "brightness": 0.1,
                "gamma": 0.1,
                "noise": 0.1,
                "sharpness": 0.1,
                "shear": 0.1,
                "changes": 3,
            },
            "feeding": {
                "balance": "draw",
                "balance_by": ["modality"],
                "cache": "memory",
                "least_images_per_epoch": 16,
            },
            "network": {"dropout": 0.1, "l1": 1e-5, "l2": 1e-5},
            "optimisation": {
                "schedule": "cosine",
                "warmup_epochs": 0.5,
                "monitor": "accuracy",
                "precision": "mixed_bfloat16",
                "weight_decay": 0.01,
                "average": 0.9,
                "focal_gamma": 1.0,
                "label_smoothing": 0.1,
                "map_weight": 0.1,
                "patience": 2,
                "checkpoint_seconds": 0,
                "threads": 1,
                "seed": 2,
            },
            "finetune": {
                "unfreeze": ["stage1", "all"],
                "gradual": False,
                "batch_norm": "trained",
                "epochs": 1,
                "schedule": "exponential",
                "warmup_epochs": 0.5,
                "learning_rate": 1e-4,
                "head_rate": 2.0,
                "depth_decay": 0.5,
            },
            "evaluation": {
                "operating_point": "sensitivity",
                "target": 0.8,
                "views": "flips",
                "confidence": 0.8,
                "bins": 4,
                "subgroups": ["modality"],
                "smallest_group": 2,
            },
            "explanation": {"layers": ["features"], "blur": 0.1},
            "export": {
                "outlier": "withhold",
                "parity_limit": 1e-2,
                "auc_limit": 0.1,
                "probe_images": 4,
                "calibration_images": 4,
                "incomplete_above": 0.5,
                "applicability": {
                    "outside": "refuse",
                    "body_parts": ["CHEST"],
                    "views": ["PA"],
                    "photometrics": ["MONOCHROME2"],
                    "side": [8, 4000],
                    "age_years": [18, 99],
                },
            },
            "card": {
                **dict.fromkeys(TEXTS, "said"),
                "limits": ["said"],
                "data_citation": ["said"],
            },
        },
    ),
    "softmax": (
        "export",
        {
            "data": DATA["plain"],
            "release": {"aggregation": "mean"},
            "feeding": {"balance": "weight", "cache": "disk", "images_per_epoch": 16},
            "augmentation": {"mixup": 0.4, "cutmix": 1.0},
            "optimisation": {
                "schedule": "exponential",
                "monitor": "auc",
                "precision": "mixed_float16",
                "head_rate": 2.0,
                "depth_decay": 0.5,
            },
            "evaluation": {"operating_point": "specificity", "target": 0.8, "calibrate": False},
            "export": {"outlier": "none", "parity_limit": 1e-2, "auc_limit": 0.1},
        },
    ),
    "plateau": (
        "train",
        {
            "data": DATA["plain"],
            "optimisation": {
                "schedule": "plateau",
                "plateau_patience": 1,
                "factor": 0.1,
                "base": "frozen",
                "learning_rate": 1e-6,
            },
            "network": {"weights": "start.npz"},
            "augmentation": {"steps": "fine-tuning"},
        },
    ),
}
"""The last step of each run, and what differs from `BASE`."""


def dicom(labels: Mapping[str, Any], **more: object) -> dict[str, Any]:
    """Make a section on the tree of phantoms, whose classes alternate by patient."""
    return {"source": "dicom", "folder": "tree", "labels": labels, **more}


for _key, _more in (
    ("PatientID", {}),
    ("StudyUID", {"images_per_series": 1, "masks": "drop", "unreadable": "drop"}),
    ("SeriesUID", {"unlabelled": "drop", "where": {"Modality": ["CT", "MR", "CR", "DX"]}}),
    ("SOPInstanceUID", {"crop": {"margin": 0.3, "square": True}, "boxed_only": True}),
):
    _label = {"kind": "table", "key": _key, "key_column": _key, "label_column": "label"}
    _files: list[dict[str, str]] = [{"file": "tree.csv"}]
    if _key == "PatientID":
        _files = [
            {"file": f"{part}.csv", "split": part} for part in ("train", "validation", "test")
        ]
    if _key == "StudyUID":
        _label |= {"vote_columns": ["label", "label"], "label_column": "", "split_column": "part"}
    if _key == "SeriesUID":
        _label |= {"key_pattern": "(.+)", "patient_column": "PatientID"}
    if _key == "SOPInstanceUID":
        _label |= {"box_columns": ["x0", "y0", "x1", "y1"]}
    _by = {"by": "given" if _key in ("PatientID", "StudyUID") else "hash"}
    RUNS[_key] = ("dataset", {"data": dicom({**_label, "files": _files}, **_more), "split": _by})
RUNS["pattern"] = (
    "dataset",
    {
        "data": dicom(
            {"kind": "patient-id", "pattern": r"(\d)$"},
            names={str(digit): "ab"[digit % 2] for digit in range(10)},
            patient_pattern=r"(\d+)$",
            boxes="boxes",
        ),
        "split": {"salt": "c"},
    },
)
_tree = [{"file": "tree.csv"}]
for _uncertain in ("negative", "positive", "drop"):
    _by_image = {"kind": "table", "key": "SOPInstanceUID", "key_column": "SOPInstanceUID"}
    _columns = {"label_columns": ["one", "two"], "uncertain": _uncertain, "files": _tree}
    _data = dicom(_by_image | _columns, names=COLUMNS["names"])
    RUNS[f"DICOM, {_uncertain}"] = ("dataset", {"data": _data, "release": SIGMOID})
