"""Methods that load nothing: sets that they made stay theirs."""

import pytest

from tbstar_jax.data_engine.augment.identity import Identity
from tbstar_jax.data_engine.augment.invert import Invert
from tbstar_jax.data_engine.augment.paste_back import PasteBack
from tbstar_jax.data_engine.layout.overlay_method import OverlayMethod
from tbstar_jax.data_engine.scale import Scale
from tbstar_jax.data_engine.stage import Method
from tbstar_jax.data_engine.store.compact import AsJpeg

METHODS = {
    Identity(share=0.5): (
        "identity",
        "d095e8ebe3a400479c0cdf12ae43855bb8b9ffaba2edc5ed8ec76162ee6b21e6",
    ),
    Invert(max_bytes=94): (
        "invert",
        "d6fe325920e1c7b37bc86441d47a288b1dbcfd78af416c3983843c0408038de7",
    ),
    PasteBack(feather=0): (
        "paste_back",
        "3cfb11cabd1186797ada8007b2d68206833505a4d8365b5e2e9c928be22c0090",
    ),
    Scale(max_pixels=4096): (
        "scale",
        "78c4a5fa396aba991aeae15ec1243b78836eedbf98ceb4ef5bb783d9a92538a6",
    ),
    AsJpeg(): (
        "as_jpeg",
        "cf5d134ad257799c7821814584ef9493e0a77c92d3973e182c787887d264e498",
    ),
    OverlayMethod(): (
        "overlay",
        "b3ef948f60be5aba595b2b78eccec6653fe19a92b26916003fcb151b5a578302",
    ),
}


@pytest.mark.parametrize("method", METHODS, ids=lambda one: one.name)
def test_a_set_of_an_earlier_version_is_not_made_again(method):
    """The ledger of a set has it: another fingerprint makes all its units due."""
    assert isinstance(method, Method)
    assert (method.name, method.fingerprint) == METHODS[method]
    assert method.num_threads == 1
