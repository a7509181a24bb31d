package delivery

import (
	"crypto/rand"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/tinylib/msgp/msgp"
)

// forwardAuth proves to a receiver that we know the shared key, and makes it prove the same.
type forwardAuth struct {
	sharedKey string
	hostname  string // our name
}

// handshake answers the receiver's HELO with a PING and checks its PONG.
func (f *forwardAuth) handshake(conn io.Writer, replies *msgp.Reader) error {
	nonce, err := readHelo(replies)
	if err != nil {
		return fmt.Errorf("read HELO: %w", err)
	}
	salt := rand.Text()
	ping := msgp.AppendArrayHeader(nil, 6)
	for _, part := range []string{"PING", f.hostname, salt, f.digest(salt, f.hostname, nonce), "", ""} {
		ping = msgp.AppendString(ping, part) // Fluent Bit takes the salt only as text
	}
	if _, err := conn.Write(ping); err != nil {
		return fmt.Errorf("write PING: %w", err)
	}
	if err := f.readPong(replies, salt, nonce); err != nil {
		return fmt.Errorf("read PONG: %w", err)
	}
	return nil
}

// digest is what only those who know the shared key can compute.
func (f *forwardAuth) digest(salt, hostname, nonce string) string {
	sum := sha512.Sum512([]byte(salt + hostname + nonce + f.sharedKey))
	return hex.EncodeToString(sum[:])
}

// readHelo returns the nonce of ["HELO", {"nonce": …, "auth": …, "keepalive": …}].
func readHelo(replies *msgp.Reader) (nonce string, err error) {
	helo, err := readParts(replies, "HELO", 2)
	if err != nil {
		return "", err
	}
	options, ok := helo[1].(map[string]any)
	if !ok {
		return "", errors.New("malformed options (want a map)")
	}
	return textOf(options["nonce"]), nil
}

// readPong checks ["PONG", accepted, reason, hostname, digest].
func (f *forwardAuth) readPong(replies *msgp.Reader, salt, nonce string) error {
	pong, err := readParts(replies, "PONG", 5)
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: the receiver may have another shared key", err)
	}
	if err != nil {
		return err
	}
	if accepted, _ := pong[1].(bool); !accepted {
		return fmt.Errorf("refused: %q", textOf(pong[2]))
	}
	want := f.digest(salt, textOf(pong[3]), nonce)
	if subtle.ConstantTimeCompare([]byte(want), []byte(textOf(pong[4]))) == 0 {
		return errors.New("wrong digest: the receiver does not know the shared key")
	}
	return nil
}

// readParts reads a list that starts with its kind and has at least so many parts.
func readParts(replies *msgp.Reader, kind string, count int) ([]any, error) {
	reply, err := replies.ReadIntf()
	if err != nil {
		return nil, err
	}
	parts, ok := reply.([]any)
	if !ok || len(parts) < count || textOf(parts[0]) != kind {
		return nil, fmt.Errorf("unexpected reply (want %s with %d parts)", kind, count)
	}
	return parts, nil
}
