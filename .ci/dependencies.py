"""What the installed halonmf depends on: a list of licences, or a CycloneDX bill of materials.

python .ci/dependencies.py licences             a line for each: name, version, licence
python .ci/dependencies.py sbom dist/NAME.json  the same for programs, in CycloneDX 1.6, with the wheel's own hash
python .ci/dependencies.py lock                 those lines of requirements.lock

All of them hold what a user gets without extras, at the versions of this environment, and nothing of the time.
"""

import hashlib
import json
import pathlib
import re
import sys
import uuid
from importlib import metadata

from packaging.requirements import Requirement

PACKAGE = "halonmf"
SHORT = 60
"""Most characters of a licence's name: what is longer is its text."""
LICENCES = {
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}
"""Names by which classifiers call licences, and those that people use."""


def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def closure(name=PACKAGE):
    """Return the distributions that a package needs, by their normal names, and what each of them needs."""
    found, waiting = {}, [name]
    while waiting:
        one = normal(waiting.pop())
        if one in found:
            continue
        distribution = metadata.distribution(one)
        wanted = [Requirement(text) for text in distribution.requires or ()]
        needs = sorted({normal(r.name) for r in wanted if r.marker is None or r.marker.evaluate({"extra": ""})})
        found[one] = distribution, needs
        waiting += needs
    return dict(sorted(found.items()))


def licence(distribution):
    """Return the licence that a distribution states: as an expression, in a short field, or in its classifiers."""
    said = distribution.metadata
    for field in ("License-Expression", "License"):
        text = (said.get(field) or "").strip()
        if text and text != "UNKNOWN" and len(text) <= SHORT and "\n" not in text:
            return LICENCES.get(text, text)
    kinds = [x.split(" :: ")[-1] for x in said.get_all("Classifier") or () if x.startswith("License :: ")]
    return " AND ".join(sorted({LICENCES.get(kind, kind) for kind in kinds})) or "not stated"


def licences():
    """Return a line for each dependency."""
    rows = [(d.metadata["Name"], d.version.split("+")[0], licence(d)) for d, _ in closure().values()]
    return "\n".join(f"{name:24} {version:18} {said}" for name, version, said in rows)


def component(distribution):
    name, version = distribution.metadata["Name"], distribution.version.split("+")[0]
    said = licence(distribution)
    record = {"type": "library", "name": name, "version": version, "bom-ref": reference(distribution)}
    record["purl"] = reference(distribution)
    return record | ({"licenses": [{"license": {"name": said}}]} if said != "not stated" else {})


def reference(distribution):
    return f"pkg:pypi/{normal(distribution.metadata['Name'])}@{distribution.version.split('+')[0]}"


def sbom(wheel=None):
    """Return the bill of materials; the same environment and wheel give the same text."""
    found = closure()
    own, _ = found[PACKAGE]
    main = component(own) | {"type": "application"}
    if wheel is not None:
        content = hashlib.sha256(wheel.read_bytes()).hexdigest()
        main["hashes"] = [{"alg": "SHA-256", "content": content}]
    record = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": main},
        "components": [component(each) for name, (each, _) in found.items() if name != PACKAGE],
        "dependencies": [
            {"ref": reference(each), "dependsOn": [reference(found[name][0]) for name in needs]}
            for each, needs in found.values()
        ],
    }
    content = json.dumps(record, sort_keys=True)
    return {**record, "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, content)}"}


def lock():
    """Return the part of requirements.lock that the package needs."""
    text = (pathlib.Path(__file__).parents[1] / "requirements.lock").read_text()
    wanted = closure()
    blocks = re.split(r"\n(?=[A-Za-z0-9])", text)[1:]
    return "\n".join(block for block in blocks if normal(re.split(r"[=\s]", block)[0]) in wanted)


def main(command, *arguments):
    if command == "licences":
        print(licences())
    elif command == "lock":
        print(lock())
    elif command == "sbom":
        path = pathlib.Path(arguments[0])
        wheels = sorted(path.parent.glob(f"{PACKAGE}-*.whl"))
        path.write_text(json.dumps(sbom(wheels[-1] if wheels else None), indent=1) + "\n")
        print(f"{len(closure())} components -> {path}")
    else:
        sys.exit(f"unknown command {command!r}: licences, sbom or lock")


if __name__ == "__main__":
    main(*(sys.argv[1:] or [""]))
