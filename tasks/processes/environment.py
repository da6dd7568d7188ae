"""The environment of a child process: what changes a figure or a byte is the project's, all else is the user's."""

from __future__ import annotations

from collections.abc import Mapping

from storage.proxies import outside_environment

# Beginnings of variables that change what Numba, Matplotlib, Keras, TensorFlow, OpenMP, BLAS libraries and Arrow
# compute or draw, and those of Python and of the locale.
CHANGING = (
    *("NUMBA_", "MPL", "MATPLOTLIB", "KERAS_", "TF_", "XLA_", "ARROW_"),
    *("OMP_", "GOMP_", "KMP_", "MKL_", "OPENBLAS_", "GOTO_", "BLIS_", "NPY_"),
    *("LC_", "LANG", "TZ", "PYTHON"),
)
# Of these some tell only where things are. Compiled code may be kept in a folder that the user names.
KEPT = frozenset(
    (
        *("NUMBA_CACHE_DIR", "MPLCONFIGDIR"),
        *("PYTHONPATH", "PYTHONHOME", "PYTHONPLATLIBDIR", "PYTHONNOUSERSITE", "PYTHONUSERBASE"),
        *("PYTHONPYCACHEPREFIX", "PYTHONDONTWRITEBYTECODE"),
    )
)
SET = {"LC_ALL": "C.UTF-8", "TZ": "UTC", "PYTHONUTF8": "1", "PYTHONHASHSEED": "0", "MPLBACKEND": "svg"}


def make_environment(additions: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a child process.

    Args:
        additions: Variables that the child's job sets.
    """
    outside = {
        name: value for name, value in outside_environment().items() if name in KEPT or not name.startswith(CHANGING)
    }
    return {**outside, **SET, **additions}
