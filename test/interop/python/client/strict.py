from google.protobuf.message import DecodeError, Message
from google.protobuf.unknown_fields import UnknownFieldSet


def decode_strict(data: bytes, message: Message) -> None:
    """Decodes binary protobuf; raises ValueError, also for a field that the contract does not know (§5.4)."""
    try:
        message.ParseFromString(data)
    except DecodeError as error:
        raise ValueError("not the message") from error
    if _has_unknown(message):
        raise ValueError("an unknown field")


def _has_unknown(message: Message) -> bool:
    if len(UnknownFieldSet(message)) > 0:
        return True
    inner = (value for field, value in message.ListFields() if field.message_type is not None)
    items = (item for value in inner for item in ([value] if isinstance(value, Message) else value))
    return any(_has_unknown(item) for item in items if isinstance(item, Message))  # The keys of a map are texts.
