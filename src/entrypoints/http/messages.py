"""Messages in the language that `Accept-Language` asks for: English, unless it likes Korean better."""

KOREAN = {
    "ACCOUNT_NOT_FOUND": "해당 계정을 찾을 수 없습니다.",
    "ALREADY_ARTIST": "이미 작가로 등록되어 있습니다.",
    "ARTIST_ONLY": "작가만 할 수 있습니다.",
    "BAD_REQUEST": "요청을 이해할 수 없습니다.",
    "BLOB_NOT_FOUND": "저장소에 해당 파일이 없습니다.",
    "CLIENT_CLOSED_REQUEST": "요청이 모두 도착하기 전에 연결이 끊어졌습니다.",
    "COMMENT_NOT_FOUND": "해당 댓글을 찾을 수 없습니다.",
    "CSRF_FAILED": "CSRF 토큰이 없거나 올바르지 않습니다.",
    "DATABASE_UNAVAILABLE": "데이터베이스에 연결할 수 없습니다.",
    "DEAD_LETTERS_UNAVAILABLE": "메시지 브로커가 따로 둔 작업에 접근할 수 없습니다.",
    "DUPLICATE_FOLLOW": "이미 팔로우한 사용자입니다.",
    "DUPLICATE_LIKE": "이미 좋아요를 누른 이미지입니다.",
    "DUPLICATE_STYLE_NAME": "같은 이름의 스타일이 이미 있습니다.",
    "DUPLICATE_TRANSFER": "이미 처리된 토큰 이동입니다.",
    "FORBIDDEN": "이 작업을 할 권한이 없습니다.",
    "FOREIGN_BLOB": "이 서비스의 저장소에 속하지 않는 주소입니다.",
    "GENERATION_CHANGED": "이미지가 동시에 수정되었습니다. 확인 후 다시 시도해 주세요.",
    "GENERATION_ENDED": "이미 완료되었거나 실패했거나 취소된 이미지입니다.",
    "GENERATION_NOT_COMPLETED": "아직 공개할 이미지가 없습니다.",
    "GENERATION_NOT_FOUND": "해당 이미지를 찾을 수 없습니다.",
    "GENERATION_STILL_PROCESSING": "이미 작업 중인 이미지라 취소할 수 없습니다.",
    "HOLD_ALREADY_RESOLVED": "이미 지급되었거나 환불된 토큰입니다.",
    "HOLD_NOT_FOUND": "이 번호로 예약된 토큰이 없습니다.",
    "IDEMPOTENCY_KEY_REUSED": "다른 요청에 이미 사용된 멱등 키입니다.",
    "IDENTITY_TAKEN": "이미 가입된 계정입니다.",
    "IMAGE_RESOLUTION_TOO_LOW": "학습 이미지의 해상도가 너무 낮습니다.",
    "IMAGE_SIZE_EXCEEDED": "학습 이미지의 용량이 너무 큽니다.",
    "INSUFFICIENT_IMAGES": "학습 이미지가 부족합니다.",
    "INSUFFICIENT_TOKENS": "토큰이 부족합니다.",
    "INTERNAL_ERROR": "서버에서 문제가 발생했습니다.",
    "INVALID_IMAGE_FORMAT": "온전한 JPEG 또는 PNG 이미지가 아닙니다.",
    "INVALID_PACKAGE": "없는 토큰 상품입니다.",
    "INVALID_TAG_LANGUAGE": "태그는 영문자, 숫자, 공백, 하이픈, 밑줄로 된 1~100자여야 합니다.",
    "MALFORMED_BODY": "요청 본문을 읽을 수 없습니다.",
    "METHOD_NOT_ALLOWED": "여기서는 허용되지 않는 메서드입니다.",
    "NOTIFICATION_NOT_FOUND": "해당 알림을 찾을 수 없습니다.",
    "NOT_FOUND": "찾을 수 없습니다.",
    "OUTCOME_UNKNOWN": "처리 결과를 알 수 없습니다. 확인 후 다시 시도해 주세요.",
    "PAYLOAD_TOO_LARGE": "요청이 너무 큽니다.",
    "PAYMENTS_UNAVAILABLE": "결제 서비스에 연결할 수 없습니다.",
    "PAYMENT_MISMATCH": "결제 내용이 주문과 다릅니다.",
    "PURCHASE_NOT_FOUND": "해당 구매를 찾을 수 없습니다.",
    "RATE_LIMIT_EXCEEDED": "짧은 시간에 요청이 너무 많습니다. 잠시 후 다시 시도해 주세요.",
    "REPLY_DEPTH_EXCEEDED": "답글에는 답글을 달 수 없습니다.",
    "REQUEST_TIMEOUT": "요청 본문이 제시간에 도착하지 않았습니다.",
    "RESULT_BROKEN": "저장된 이미지가 손상되어 공개할 수 없습니다.",
    "RESULT_TAKEN": "다른 이미지 생성의 결과물입니다.",
    "RIGHTS_NOT_AFFIRMED": "본인에게 권리가 있는 이미지로만 스타일을 만들 수 있습니다.",
    "SELF_FOLLOW_NOT_ALLOWED": "자기 자신은 팔로우할 수 없습니다.",
    "SIGN_IN_FAILED": "로그인에 실패했습니다.",
    "STORE_UNAVAILABLE": "저장소에 연결할 수 없습니다.",
    "STYLE_LIMIT_REACHED": "만들 수 있는 스타일 수를 모두 사용했습니다.",
    "STYLE_NOT_FOUND": "해당 스타일을 찾을 수 없습니다.",
    "STYLE_NOT_READY": "아직 학습되지 않았거나 닫힌 스타일이라 사용할 수 없습니다.",
    "STYLE_USED": "이미지 요청에 사용된 스타일입니다.",
    "TOO_MANY_IMAGES": "학습 이미지가 너무 많습니다.",
    "TOO_MANY_STREAMS": "열려 있는 실시간 연결이 너무 많습니다. 하나를 닫은 후 다시 시도해 주세요.",
    "TRAINING_IN_PROGRESS": "실패한 학습만 다시 시작할 수 있습니다.",
    "UNAUTHORIZED": "먼저 로그인해 주세요.",
    "UNSUPPORTED_MEDIA_TYPE": "지원하지 않는 형식의 내용입니다.",
    "USERNAME_TAKEN": "이미 사용 중인 사용자 이름입니다.",
    "USER_NOT_FOUND": "해당 사용자를 찾을 수 없습니다.",
    "VALIDATION_ERROR": "입력값이 올바르지 않습니다.",
    "WITHDRAWAL_ENDED": "이미 지급되었거나 거절된 출금 요청입니다.",
    "WITHDRAWAL_PENDING": "아직 처리되지 않은 출금 요청이 있습니다.",
    "WITHDRAWAL_NOT_FOUND": "해당 출금 요청을 찾을 수 없습니다.",
}


def in_korean(code: str, message: str) -> str:
    return KOREAN.get(code, message)


def prefers_korean(accept_language: str | None) -> bool:
    """Whether the header gives Korean a higher weight than English, or the same and an earlier place (RFC 9110)."""
    if not accept_language:
        return False
    liked: dict[str, float] = {}
    for part in accept_language.split(","):
        tag, _, weight = part.partition(";")
        language = tag.strip().lower().partition("-")[0]
        liked.setdefault(language, _weight(weight))
    favourite = max(("ko", "en"), key=lambda language: liked.get(language, 0.0))
    if liked.get("ko") == liked.get("en"):
        favourite = next((language for language in liked if language in {"ko", "en"}), "en")
    return favourite == "ko" and liked.get("ko", 0.0) > 0


def _weight(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if name != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0
