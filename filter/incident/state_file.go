package incident

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/writable"
)

// CheckFile returns why a file cannot keep the state, nil when it can. What is there must be one of ours, so that a mistaken path neither
// renames nor replaces files of others: a state, or what starts with one of heads. The error names the file.
func CheckFile(path string, heads ...string) error {
	if err := checkFile(path, append(heads, stateMagic)); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

func checkFile(path string, heads []string) error {
	path = linked(path)
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return writable.File(path)
	case info.IsDir():
		return errors.New("is a directory (want a file)")
	case !info.Mode().IsRegular():
		return errors.New("is not a regular file (want a file)")
	}
	if err := checkHead(path, heads); err != nil {
		return err
	}
	return writable.Directory(filepath.Dir(path))
}

func checkHead(path string, heads []string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	most := 0
	for _, head := range heads {
		most = max(most, len(head))
	}
	start, err := io.ReadAll(io.LimitReader(file, int64(most)))
	if err != nil {
		return err
	}
	starts := func(head string) bool {
		return strings.HasPrefix(string(start), head) || strings.HasPrefix(head, string(start))
	}
	isLost := strings.Trim(string(start), "\x00") == "" // as after a power failure: it is set aside like other damaged ones
	if !isLost && !slices.ContainsFunc(heads, starts) {
		return errors.New("is not a state file (want a state file, or a name that no file has)")
	}
	return nil
}

// linked is the file that a symbolic link leads to: the link stays.
func linked(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	return path
}

// Save writes a state to a file, which is whole at any time: the one of before, or the new one.
func Save(path string, state []byte) error {
	path = linked(path)
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("incident state: %w", err)
	}
	defer os.Remove(file.Name()) //nolint:errcheck // it is gone when everything went well
	_, err = file.Write(state)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("incident state: %w", err)
	}
	if err := os.Rename(file.Name(), path); err != nil {
		return fmt.Errorf("incident state: %w", err)
	}
	return nil
}

// Load returns a correlator that goes on where the state in a file stops. Without the file it has seen nothing. A file that cannot be used
// is set aside, and the problem says so; the correlator has seen nothing then, too.
func Load(path string, options Options) (c *Correlator, problem error) {
	c = New(options)
	state, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return c, nil
	}
	if err == nil {
		if err = c.UnmarshalBinary(state); err == nil {
			return c, nil
		}
	}
	return New(options), SetAside(path, err)
}

// SetAside renames a file that cannot be used to one with the ending .bad, and returns why it cannot, and what became of it. Nothing but a
// regular file is renamed.
func SetAside(path string, why error) error {
	problem := fmt.Errorf("%s: %w", path, why)
	path = linked(path)
	if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() {
		return problem
	}
	if err := os.Rename(path, path+".bad"); err != nil {
		return errors.Join(problem, err)
	}
	return fmt.Errorf("%w; renamed to %s.bad, and detection starts over", problem, path)
}
