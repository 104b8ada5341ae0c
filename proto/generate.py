"""Generate `lolraft/rpc/pb` from the contracts in this folder: `./dev proto`."""

from __future__ import annotations

import re
import sys
from importlib.resources import files
from pathlib import Path

HERE = Path(__file__).resolve().parent
TARGET = HERE.parent / "lolraft" / "rpc" / "pb"
INIT = '"""Generated from `proto/` by `./dev proto`; a test keeps it equal."""\n'


def generate(target: Path) -> None:
    """
    Write the messages, stubs and types of every contract into *target*, a package folder.

    Raises:
        RuntimeError: the compiler refused a file; it has said why on standard error.
    """
    from grpc_tools import protoc  # Only who changes a contract needs the compiler.

    target.mkdir(parents=True, exist_ok=True)
    sources = sorted(path.name for path in HERE.glob("*.proto"))
    status = protoc.main(
        [
            "protoc",
            f"--proto_path={HERE}",
            f"--proto_path={files('grpc_tools') / '_proto'}",
            f"--python_out={target}",
            f"--pyi_out={target}",
            f"--grpc_python_out={target}",
            *sources,
        ]
    )
    if status != 0:
        raise RuntimeError(f"the protocol compiler ended with status {status}")
    for path in sorted(target.glob("*_pb2_grpc.py")):
        # The compiler writes `import peer_pb2 as peer__pb2`, which only works on sys.path.
        text = path.read_text()
        path.write_text(re.sub(r"^import (\w+_pb2) as", r"from . import \1 as", text, flags=re.M))
    (target / "__init__.py").write_text(INIT)


if __name__ == "__main__":
    generate(Path(sys.argv[1]) if len(sys.argv) > 1 else TARGET)
