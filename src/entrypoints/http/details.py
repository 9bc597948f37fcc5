"""What is wrong with a field, in Korean: by the English text, in which `{}` stands for whatever is in its place."""

import re
from typing import Any

from core.errors import Details

KOREAN = {
    "0 to {}.": "0부터 {}까지 가능합니다.",
    "1 to {}.": "1개에서 {}개까지 가능합니다.",
    "1 to {} characters.": "1자에서 {}자까지 가능합니다.",
    "1 to {} characters, not only spaces.": "공백만이 아닌 1자에서 {}자까지 가능합니다.",
    "1 to {} tokens.": "1토큰에서 {}토큰까지 가능합니다.",
    "1 to 255 printable ASCII characters.": "출력 가능한 ASCII 문자 1자에서 255자까지 가능합니다.",
    "3 to 30 characters: lower-case letters, digits, dots, hyphens and underscores.": (
        "소문자, 숫자, 점, 하이픈, 밑줄로 된 3자에서 30자까지 가능합니다."
    ),
    "A data URL of an image is needed: data:image/png;base64,...": (
        "이미지의 데이터 URL이 필요합니다: data:image/png;base64,..."
    ),
    "A file is needed.": "파일이 필요합니다.",
    "After valid_from.": "valid_from보다 나중이어야 합니다.",
    "At least one visible character is needed.": "눈에 보이는 문자가 하나 이상 필요합니다.",
    "At most {}.": "최대 {}개까지 가능합니다.",
    "At most {} MB.": "최대 {}MB까지 가능합니다.",
    "At most {} characters.": "최대 {}자까지 가능합니다.",
    "At most {} pixels a side.": "한 변은 최대 {}픽셀까지 가능합니다.",
    "Control characters other than tabs and line breaks are not allowed.": (
        "탭과 줄바꿈 외의 제어 문자는 사용할 수 없습니다."
    ),
    "Control, bidirectional and invisible characters are not allowed.": (
        "제어 문자, 글자 방향 문자, 보이지 않는 문자는 사용할 수 없습니다."
    ),
    "Nested too deeply.": "너무 깊이 중첩되어 있습니다.",
    "Not a complete JPEG or PNG image.": "온전한 JPEG 또는 PNG 이미지가 아닙니다.",
    "Not a name of the IANA time zone database.": "IANA 시간대 데이터베이스에 없는 이름입니다.",
    "Not after `to`, and at most {} days with it.": "`to`보다 늦을 수 없고, 그날을 포함해 최대 {}일까지 가능합니다.",
    "Not the place of an object.": "객체의 위치가 아닙니다.",
    "Not an e-mail address.": "이메일 주소가 아닙니다.",
    "One per image: {}, not {}.": "이미지마다 하나씩 필요합니다: {}개인데 {}개가 왔습니다.",
    "Out of range.": "범위를 벗어났습니다.",
    "Text cannot hold the character NUL.": "텍스트에는 NUL 문자가 들어갈 수 없습니다.",
    "Text is needed, not a file.": "파일이 아니라 텍스트가 필요합니다.",
    "Text is UTF-8.": "텍스트는 UTF-8이어야 합니다.",
    "The URI does not lie in this service's own bucket.": "이 서비스의 저장소에 속하지 않는 주소입니다.",
    "The object does not lie below {}.": "객체가 {} 아래에 있지 않습니다.",
    "The data URL is not in base64.": "데이터 URL이 base64로 되어 있지 않습니다.",
    "There is no such field.": "그런 항목은 없습니다.",
    "This cursor was not issued by this service.": "이 서비스가 발급한 커서가 아닙니다.",
    "This field can be given once only.": "이 항목은 한 번만 보낼 수 있습니다.",
    "This field is required.": "필수 항목입니다.",
    "{} is not such a tag.": "{}은(는) 쓸 수 없는 태그입니다.",
    # msgspec's, of what is not of its field's type
    "Expected `{}`, got `{}`.": "`{}` 형식이어야 하는데 `{}` 형식입니다.",
    "Expected `{}` of length >= {}.": "`{}`의 길이는 {} 이상이어야 합니다.",
    "Expected `{}` of length <= {}.": "`{}`의 길이는 {} 이하여야 합니다.",
    "Expected `{}` >= {}.": "`{}`은(는) {} 이상이어야 합니다.",
    "Expected `{}` <= {}.": "`{}`은(는) {} 이하여야 합니다.",
    "Expected `{}` > {}.": "`{}`은(는) {}보다 커야 합니다.",
    "Expected `{}` < {}.": "`{}`은(는) {}보다 작아야 합니다.",
    "Expected `{}` matching regex {}.": "`{}`은(는) {} 형식에 맞아야 합니다.",
    "Expected `{}` with a timezone component.": "`{}`에는 시간대가 있어야 합니다.",
    "Integer value out of range.": "정수가 범위를 벗어났습니다.",
    "Invalid RFC3339 encoded datetime.": "RFC 3339 형식의 날짜와 시각이 아닙니다.",
    "Invalid RFC3339 encoded date.": "RFC 3339 형식의 날짜가 아닙니다.",
    "Invalid enum value {}.": "{}은(는) 허용되지 않는 값입니다.",
    "Object contains unknown field {}.": "알 수 없는 항목이 있습니다: {}.",
    "Object missing required field {}.": "필수 항목이 없습니다: {}.",
}


def _pattern(english: str) -> re.Pattern[str]:
    """With or without the full stop at its end: frameworks leave it out."""
    return re.compile("(.+?)".join(map(re.escape, english.removesuffix(".").split("{}"))) + r"\.?", re.DOTALL)


_PATTERNS = [(_pattern(english), KOREAN[english]) for english in sorted(KOREAN, key=len, reverse=True)]
"""The longest first: it says most of what the text has to be."""


def details_in_korean(details: Details) -> Details:
    return {name: in_korean(value) for name, value in details.items()}


def in_korean(value: Any) -> Any:
    """Text that is not in the catalogue stays as it is, and so does what is no text."""
    if not isinstance(value, str):
        return value
    for pattern, korean in _PATTERNS:
        if found := pattern.fullmatch(value):
            return korean.format(*found.groups())
    return value
