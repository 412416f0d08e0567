"""The Hugging Face hub's client, kept quiet, and quick where the hub is out of reach."""

import logging
from functools import cache
from socket import gaierror
from urllib.error import HTTPError, URLError
from urllib.request import urlopen


def is_out_of_reach() -> bool:
    """Whether the hub does not answer; then its client is best told to use what it has cached (`local_files_only`).

    Left alone it tries again and again, half a minute for every file. False where the user has said to stay offline
    (HF_HUB_OFFLINE): nobody is asked then.
    """
    from huggingface_hub import constants

    # What goes wrong is said once, by us, and not at each of the client's retries.
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    return not constants.HF_HUB_OFFLINE and not _answers(constants.ENDPOINT)


@cache
def _answers(address: str) -> bool:
    """Whether anybody is there."""
    try:
        urlopen(address, timeout=10).close()
    except HTTPError:
        return True
    except URLError as error:  # a certificate that we do not know, say, is for the client to judge
        return not isinstance(error.reason, gaierror | ConnectionError | TimeoutError)
    except OSError:
        return False
    return True
