"""The phone's end of the chain: whether one answers at the address now."""

from __future__ import annotations

from dexsetup import sip
from dexsetup.doctor.finding import Finding
from dexsetup.host.base import Host
from dexsetup.plan.events import Grade

__all__ = ["phone_link"]

_SIP_SECONDS = 4.0


def phone_link(host: Host, address: str) -> Finding:
    """Look whether a phone answers. None that does is no break: phones are started by people."""
    place = f"[{address}]:{sip.PORT}"
    try:
        answer = host.network.sip_answer(address, _SIP_SECONDS)
    except TimeoutError as error:
        cause = f"{error.strerror or error}: something has the port that is no phone, or it hangs"
        return Finding("phone", Grade.WARN, f"{place} does not answer", cause, "sudo ss -lunp")
    except OSError as error:
        text = f"no phone listens on {place}: nobody can call now"
        cause = f"{error.strerror or error}: none runs, or it was started before the address was there"
        return Finding("phone", Grade.NOTE, text, cause, "start linphone or baresip, again if one runs")
    return Finding("phone", Grade.OK, f"{place} answers: {answer}")
