"""The Hugging Face hub's client, without its warnings, and without its retries where the hub is out of reach."""

import logging
from functools import cache
from socket import gaierror
from urllib.error import HTTPError, URLError
from urllib.request import urlopen


def is_out_of_reach() -> bool:
    """Return whether the hub does not answer, so that its client should use its cache alone (`local_files_only`).

    Otherwise the client retries for half a minute per file. False without a request where the user chose to stay
    offline (HF_HUB_OFFLINE).
    """
    from huggingface_hub import constants

    # The error message of this package is enough; the client would warn at each retry.
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    return not constants.HF_HUB_OFFLINE and not _answers(constants.ENDPOINT)


@cache
def _answers(address: str) -> bool:
    """Return whether a server answers at an address."""
    try:
        urlopen(address, timeout=10).close()
    except HTTPError:
        return True
    except URLError as error:  # the client judges other errors, such as an unknown certificate
        return not isinstance(error.reason, gaierror | ConnectionError | TimeoutError)
    except OSError:
        return False
    return True
