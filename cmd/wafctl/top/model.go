package top

import (
	"context"
	"errors"
	"time"

	tea "charm.land/bubbletea/v2"
)

// live is the program of a terminal.
type live struct {
	ctx      context.Context
	source   Source
	interval time.Duration
	screen   screen
	history  history
	last     *Reading
	err      error // ends the program: there was no reading at all
}

// got is the end of a try to read, due that the next one is to begin.
type (
	got struct {
		reading *Reading
		err     error
	}
	due struct{}
)

// Live shows a source on the terminal of the process until the user quits or ctx ends.
func Live(ctx context.Context, source Source, interval time.Duration) error {
	m := &live{ctx: ctx, source: source, interval: interval, screen: screen{styles: colored()}}
	_, err := tea.NewProgram(m, tea.WithContext(ctx)).Run()
	switch {
	case m.err != nil:
		return m.err
	case errors.Is(err, tea.ErrInterrupted), errors.Is(err, tea.ErrProgramKilled) && ctx.Err() != nil:
		return nil
	}
	return err
}

// Init implements tea.Model.
func (m *live) Init() tea.Cmd { return m.read }

func (m *live) read() tea.Msg {
	reading, err := m.source.Read(m.ctx)
	return got{reading, err}
}

func (m *live) wait() tea.Cmd {
	return tea.Tick(m.interval, func(time.Time) tea.Msg { return due{} })
}

// Update implements tea.Model.
func (m *live) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.screen.width, m.screen.height = msg.Width, msg.Height
	case due:
		if m.screen.paused {
			return m, m.wait()
		}
		return m, m.read
	case got:
		return m, m.take(msg)
	case tea.KeyPressMsg:
		return m, m.press(msg.String())
	}
	return m, nil
}

func (m *live) take(msg got) tea.Cmd {
	switch {
	case msg.err != nil && m.last == nil:
		m.err = msg.err
		return tea.Quit
	case msg.err != nil:
		m.screen.problem = shown(cause(msg.err).Error())
	default:
		m.screen.problem = ""
		m.last = msg.reading
		m.history.add(msg.reading)
	}
	return m.wait()
}

// cause returns what an error came from, for a line that has not much room.
func cause(err error) error {
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(err) {
		err = inner
	}
	return err
}

func (m *live) press(key string) tea.Cmd {
	s := &m.screen
	lists := 1
	if m.last != nil {
		lists = max(len(m.last.Lists), 1)
	}
	switch key {
	case "q", "ctrl+c":
		return tea.Quit
	case "tab", "right", "l":
		s.focus, s.first = (s.focus+1)%lists, 0
	case "shift+tab", "left", "h":
		s.focus, s.first = (s.focus+lists-1)%lists, 0
	case "enter":
		s.zoomed = !s.zoomed
	case "esc":
		s.zoomed = false
	case "s":
		s.order, s.first = (s.order+1)%orders, 0
	case "p", "space":
		s.paused = !s.paused
	case "down", "j":
		s.first++ // drawing bounds it
	case "up", "k":
		s.first = max(s.first-1, 0)
	case "pgdown":
		s.first += s.height / 2
	case "pgup":
		s.first = max(s.first-s.height/2, 0)
	case "home":
		s.first = 0
	}
	return nil
}

// View implements tea.Model.
func (m *live) View() tea.View {
	view := tea.NewView("")
	view.AltScreen = true
	view.WindowTitle = "wafctl top " + m.source.Title()
	switch {
	case m.screen.width == 0:
	case m.last == nil:
		view.SetContent("Reading " + m.source.Title() + " …")
	default:
		view.SetContent(m.screen.draw(m.last, &m.history, m.source.Title()))
	}
	return view
}
