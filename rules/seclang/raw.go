package seclang

// TX variables that hold bodies as they were logged, whatever their media type: REQUEST_BODY has only forms, and
// RESPONSE_BODY only the media types of SecResponseBodyMimeType, which must stay those of CRS for CRS to say what it says
// elsewhere.
const (
	RawRequestBody  = "raw_request_body"
	RawResponseBody = "raw_response_body"
)
