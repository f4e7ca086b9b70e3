"""``resultInformation`` triples; the README of the simulator says which of them are invented."""

from dataclasses import dataclass

from simulator.acs.errors import Json


@dataclass(frozen=True, slots=True)
class Result:
    """How something ended; *sip* and *q850* only where a carrier answered."""

    code: int
    sub_code: int
    message: str
    sip: tuple[int, str] | None = None
    q850: tuple[int, str] | None = None

    @property
    def is_success(self) -> bool:
        """Whether the code says so."""
        return 200 <= self.code < 300

    def as_json(self) -> Json:
        """As it stands in an event."""
        data: Json = {"code": self.code, "subCode": self.sub_code, "message": self.message}
        if self.sip:
            data["sipDetails"] = {"code": self.sip[0], "message": self.sip[1]}
        if self.q850:
            data["q850Details"] = {"code": self.q850[0], "message": self.q850[1]}
        return data


OK = Result(200, 0, "")
MEDIA_OK = Result(200, 0, "Action completed successfully.")
MEDIA_CANCELED = Result(400, 8508, "Action failed, the operation was canceled.")
FILE_FORMAT = Result(400, 8535, "Action failed, file format is invalid.")
FILE_DOWNLOAD = Result(400, 8536, "Action failed, file could not be downloaded.")
SPEECH_AUTH = Result(
    401,
    8565,
    "Action failed due to a Cognitive Services authentication error. "
    "Please check your authorization input and ensure it is correct.",
)
EMPTY_TEXT = Result(400, 8582, "Action failed, the text or SSML to play is empty.")
PROMPT_FAILED = Result(
    500, 8511, "Action failed, encountered failure while trying to play the prompt."
)

MAX_DIGITS = Result(200, 8531, "Action completed, max digits received.")
STOP_TONE = Result(200, 8514, "Action completed as stop tone was detected.")
TONE_OPTION = Result(200, 8533, "Action completed, DTMF option matched.")
PHRASE_OPTION = Result(200, 8545, "Action completed, Recognized phrase matches a valid option.")
SPEECH_OK = Result(200, 8569, "Action completed, speech was recognized.")
INITIAL_SILENCE = Result(400, 8510, "Action failed, initial silence timeout reached.")
INTER_DIGIT = Result(400, 8532, "Action failed, inter-digit silence time out reached.")
WRONG_TONE = Result(400, 8534, "Action failed, incorrect tone entered.")
WRONG_PHRASE = Result(400, 8547, "Action failed, recognized phrase does not match a valid option.")
NOT_RECOGNIZED = Result(400, 8563, "Action failed, speech could not be recognized.")

APP_ENDED = Result(
    200,
    7000,
    "Call was ended by Azure Communication Service Call Automation API or a server bot. "
    "DiagCode: 0#7000.@",
)
TRANSFER_OK = Result(200, 7015, "The transfer operation completed successfully.")
LEFT_BY_TRANSFER = Result(
    200, 7015, "The conversation has ended because of a transfer. DiagCode: 0#7015.@"
)
CALLER_GAVE_UP = Result(
    487,
    10004,
    "The call was canceled by the caller before it was answered. DiagCode: 487#10004.@",
)
TONE_RECEIVED = Result(200, 0, "DTMF tone received successfully.")
TONES_STOPPED = Result(200, 0, "Continuous DTMF Recognition stopped successfully.")
TONES_SENT = Result(200, 0, "Send DTMF completed successfully.")
NOT_PRESENT = Result(400, 8558, "Participant not present.")
PARTICIPANT_NOT_FOUND = Result(404, 8522, "Participant not found.")
INVITATION_PROCESSED = Result(400, 8523, "The invitation has already been processed.")


def party_hung_up(*, is_outbound: bool) -> Result:
    """The person on the phone ended the call."""
    sub_code = 560000 if is_outbound else 540000
    return Result(200, sub_code, f"The conversation has ended. DiagCode: 0#{sub_code}.@")
