"""Images for tests, without a registry: the real Dockerfile on stand-ins for its base images.

All of it lives in a store of its own, which is removed when Python ends, so that nobody's images and containers are
touched. What takes long and never changes, a root file system made by debootstrap, is kept in `target/deploy`.

Environment:
  SCIMSHIM_STATIC_BIN  a static `dist` binary: the image is the last stage of the Dockerfile around it, in a second.
                       Without it the whole Dockerfile is built, which takes minutes.
  SCIMSHIM_REQUIRE     `all`: a tool that is missing is a failure. Else the test is skipped and says why.
"""

import atexit
import functools
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
CACHE = ROOT / "target" / "deploy"

RUST_BASE = "localhost/scimshim-test-rust:latest"
SHIM = "localhost/scimshim:test"
ROOTFS = "localhost/scimshim-test-rootfs:latest"

# A cgroup layout or limits on which a runtime stumbles are those of the machine, not of the image: runc takes every
# layout, and these limits are below what any machine allows. Locks in files, for those in shared memory belong to all
# stores at once.
CONTAINERS_CONF = """\
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
lock_type = "file"
"""


def need(*tools):
    """Skips the test where one of these programs is missing; fails it where nothing may be."""
    for tool in tools:
        if shutil.which(tool) is None:
            missing(f"{tool} is not installed")


def tool(name):
    """The path of a program that came with a Python package of these tests, or of one of the machine."""
    beside = pathlib.Path(sys.executable).parent / name
    return str(beside) if beside.exists() else shutil.which(name) or missing(f"{name} is not installed")


def missing(reason):
    if os.environ.get("SCIMSHIM_REQUIRE") == "all":
        pytest.fail(reason)
    pytest.skip(reason)


@functools.cache
def store():
    """Our own store of images and containers, and the configuration for it."""
    need("podman", "buildah", "runc")
    place = pathlib.Path(tempfile.mkdtemp(prefix="scimshim-images-"))
    (place / "containers.conf").write_text(CONTAINERS_CONF)
    atexit.register(clean, place)
    return place


def clean(place):
    """Stops what runs, unmounts and removes what was made: containers, images, the store itself."""
    podman("pod", "rm", "--all", "--force", "--time", "1", check=False)
    podman("rm", "--all", "--force", "--time", "1", check=False)
    buildah("rm", "--all", check=False)
    podman("unmount", "--all", "--force", check=False)
    # The driver keeps its directory mounted on itself.
    subprocess.run(["umount", "--lazy", place / "root" / "overlay"], capture_output=True)
    shutil.rmtree(place)


def environment():
    ours = {"CONTAINERS_CONF": str(store() / "containers.conf"), "TMPDIR": str(temporary())}
    if run("stat", "--file-system", "--format=%T", store()).stdout.strip() == "overlayfs":
        # In a container ourselves: no overlay lies on another.
        ours["STORAGE_DRIVER"] = "vfs"
    return {**os.environ, **ours}


def temporary():
    path = store() / "tmp"
    path.mkdir(exist_ok=True)
    return path


def run(*command, check=True, **how):
    """Runs a program; what it wrote stands in the failure."""
    how = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **how}
    done = subprocess.run([str(part) for part in command], **how)
    if check and done.returncode != 0:
        said = "\n".join(text[-4000:] for text in (done.stdout, done.stderr) if isinstance(text, str))
        raise AssertionError(f"{' '.join(map(str, command))}: exit code {done.returncode}\n{said}")
    return done


def podman_command(*args):
    """The command line of `podman(*args)`, for who starts it differently; run it with `environment()`."""
    place = store()
    places = ["--root", place / "root", "--runroot", place / "run", "--tmpdir", place / "libpod"]
    return [str(part) for part in ["podman", *places, "--runtime", "runc", "--cgroup-manager", "cgroupfs", *args]]


def podman(*args, **how):
    """`podman` on our own store. Raises AssertionError with its words unless `check=False`."""
    return run(*podman_command(*args), env=environment(), **how)


def buildah(*args, **how):
    """`buildah` on the same store."""
    place = store()
    return run("buildah", "--root", place / "root", "--runroot", place / "run", *args, env=environment(), **how)


def debian():
    """The codename of this machine's Debian and the mirror it is installed from."""
    release = dict(line.split("=", 1) for line in pathlib.Path("/etc/os-release").read_text().splitlines() if "=" in line)
    sources = sorted(pathlib.Path("/etc/apt/sources.list.d").glob("*.sources"))
    for line in "\n".join(path.read_text() for path in sources).splitlines():
        if line.startswith("URIs:"):
            return release["VERSION_CODENAME"].strip('"'), line.split()[1]
    return release["VERSION_CODENAME"].strip('"'), None


@functools.cache
def rootfs_archive():
    """A Debian with a C compiler, CA certificates and Python, as an archive that is made once."""
    need("debootstrap", "tar")
    if os.geteuid() != 0:
        missing("debootstrap needs root")
    suite, mirror = debian()
    archive = CACHE / f"rootfs-{suite}.tar"
    if not archive.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="rootfs-", dir=CACHE) as scratch:
            tree = pathlib.Path(scratch) / "tree"
            packages = "--include=gcc,libc6-dev,ca-certificates,python3"
            run("debootstrap", "--variant=minbase", packages, suite, tree, *filter(None, [mirror]))
            # Where images of Python have it.
            for name in ("python", "python3"):
                (tree / "usr/local/bin" / name).symlink_to("/usr/bin/python3")
            whole = pathlib.Path(scratch) / "rootfs.tar"
            superfluous = ["./var/cache/apt", "./var/lib/apt/lists", "./usr/share/doc", "./usr/share/locale", "./usr/share/man"]
            run("tar", "-C", tree, "-cf", whole, *(f"--exclude={path}/*" for path in superfluous), ".")
            whole.rename(archive)
    return archive


@functools.cache
def rootfs():
    """The same as an image, which the stand-ins share."""
    # As images of Python have it; `kube play` gives no default.
    path = "ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
    podman("import", "--quiet", "--change", path, rootfs_archive(), ROOTFS)
    return ROOTFS


@functools.cache
def python_image(reference):
    """A stand-in for an image of Python, under the reference that a manifest names, so that nothing is pulled."""
    podman("tag", rootfs(), reference)
    return reference


@functools.cache
def rust_image():
    """A stand-in for the first base of the Dockerfile. The toolchain is this machine's, mounted by `shim_image`."""
    recipe = temporary() / "rust.Dockerfile"
    recipe.write_text(
        f"FROM {rootfs()}\n"
        "ENV PATH=/usr/local/rust/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
        "ENV CARGO_HOME=/usr/local/cargo CARGO_NET_OFFLINE=true\n"
    )
    bud("-f", recipe, "-t", RUST_BASE, temporary())
    return RUST_BASE


def bud(*args, **how):
    """`buildah bud` that pulls nothing and needs no namespaces."""
    return buildah("bud", "--pull-never", "--isolation", "chroot", *args, **how)


def shim_image():
    """The image of scimshim: built by the whole Dockerfile, or its last stage around SCIMSHIM_STATIC_BIN."""
    image, fault = built()
    if fault:
        raise fault
    return image


@functools.cache
def built():
    """The image or why there is none: a build that fails after minutes is not tried again for each test."""
    prebuilt = os.environ.get("SCIMSHIM_STATIC_BIN")
    try:
        if prebuilt:
            return around(pathlib.Path(prebuilt)), None
        if os.environ.get("SCIMSHIM_REQUIRE") != "all":
            pytest.skip("SCIMSHIM_STATIC_BIN names no static binary; SCIMSHIM_REQUIRE=all builds one, which takes minutes")
        return whole(), None
    except (Exception, pytest.fail.Exception, pytest.skip.Exception) as fault:
        return None, fault


def around(binary):
    """The last stage of the Dockerfile; the folder stands for the stage named `build`."""
    if not binary.is_file():
        pytest.fail(f"SCIMSHIM_STATIC_BIN: there is no {binary}")
    build = store() / "build"
    for folder in ("out/state", "out/var/lib", "etc/ssl/certs"):
        (build / folder).mkdir(parents=True)
    shutil.copy(binary, build / "out/scimshim")
    bundle = pathlib.Path("/etc/ssl/certs/ca-certificates.crt")
    if not bundle.exists():
        missing("ca-certificates is not installed")
    shutil.copy(bundle, build / "etc/ssl/certs/ca-certificates.crt")
    bud("--build-context", f"build={build}", *arguments(), "-t", SHIM, ROOT)
    return SHIM


def whole():
    """All stages, offline: the compiler, its registry and its sources are this machine's."""
    need("cargo", "rustc")
    run("cargo", "fetch", "--locked", "--manifest-path", ROOT / "Cargo.toml")
    sysroot = run("rustc", "--print", "sysroot").stdout.strip()
    registry = pathlib.Path(os.environ.get("CARGO_HOME", pathlib.Path.home() / ".cargo")) / "registry"
    mounts = ["-v", f"{sysroot}:/usr/local/rust:ro", "-v", f"{registry}:/usr/local/cargo/registry:ro"]
    bud("--from", rust_image(), *mounts, *arguments(), "-t", SHIM, ROOT)
    return SHIM


def arguments():
    """What a release hands to the build, but made up: the labels of an image must be its own."""
    return ["--build-arg", f"SCIMSHIM_COMMIT={COMMIT}", "--build-arg", f"SCIMSHIM_CREATED={CREATED}"]


COMMIT = "0123456789ab"
CREATED = "2001-02-03T04:05:06Z"


def free_ports(count):
    """Ports of loopback that nobody listens on, all different."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports
