package rules

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRulesThatJudgeByAbsenceNeedTheirParts(t *testing.T) {
	want := map[int]Parts{
		200002:  PartBodyEnd,
		200003:  PartBodyEnd,
		911100:  PartRequest,
		920100:  PartRequest | PartTarget | PartQuery | PartEscapes | PartProtocol,
		920180:  PartProtocol | PartContentLength | PartTransferEncoding,
		920200:  PartRequest | PartTarget,
		920240:  PartBodyEnd,
		920250:  PartBodyEnd,
		920280:  PartHost,
		920300:  PartRequest | PartAccept,
		920310:  PartRequest,
		920311:  PartRequest | PartUserAgent,
		920320:  PartUserAgent,
		920340:  PartContentType,
		920350:  PartHost,
		920430:  PartProtocol,
		920640:  PartContentType,
		920650:  PartRequest,
		931130:  PartHostName,
		943110:  PartHostName,
		943120:  PartReferer,
		954130:  PartStatus,
		7100260: PartRequest | PartTarget,
		7110520: PartRequest | PartTarget,
		7110521: PartRequest | PartTarget,
		7110530: PartRequest | PartTarget,
		7110531: PartRequest | PartTarget,
		7110600: PartRequest | PartTarget,
		7110601: PartRequest | PartTarget,
		7110800: PartRequest | PartTarget,
		7110801: PartRequest | PartTarget,
		7110810: PartRequest | PartTarget,
		7110811: PartRequest | PartTarget,
		7110910: PartRequest | PartTarget,
	}
	got := map[int]Parts{}
	for _, l := range open(t, nil).LeftOut(AllParts) {
		got[l.ID] = l.Needs
		require.NotEmpty(t, l.Why)
	}
	require.Equal(t, want, got)
}

func TestRulesWithNothingToLookAtAreIdle(t *testing.T) {
	set := open(t, nil)
	idle := func(absent Parts) map[int]bool {
		found := map[int]bool{}
		for _, l := range set.Idle(absent) {
			found[l.ID] = true
		}
		return found
	}
	require.Equal(t, map[int]bool{932205: true, 932206: true, 932207: true, 943110: true, 943120: true}, idle(PartReferer))
	noResponse := idle(PartStatus | PartResponseHeader | PartResponseBody | PartResponseEnd)
	require.True(t, noResponse[951110] && noResponse[950100])
	require.False(t, noResponse[942100])
	other := idle(AllParts)
	for id, want := range map[int]bool{942100: false, 941100: false, 932160: false, 913100: true, 920100: true, 930130: true} {
		require.Equal(t, want, other[id], "%d", id)
	}
	e, err := set.engine(AllParts)
	require.NoError(t, err)
	require.Less(t, e.rules(), set.Rules()-100)
}

func TestRulesThatNeedUnknownPartsAreLeftOut(t *testing.T) {
	set := open(t, nil)
	request := func() *Transaction {
		return &Transaction{Method: "POST", URI: "/?a=../../etc/passwd", Protocol: "HTTP/1.1", RequestHeaders: []Header{{Name: "User-Agent", Value: "x"}}}
	}
	all, err := set.Inspect(request())
	require.NoError(t, err)
	require.Subset(t, ids(all), []int{920280, 920180, 930120})

	partly := request()
	partly.Unknown = PartHost | PartUnnamedHeaders
	some, err := set.Inspect(partly)
	require.NoError(t, err)
	require.NotContains(t, ids(some), 920280)
	require.NotContains(t, ids(some), 920180)
	require.Contains(t, ids(some), 930120)
	require.Len(t, set.engines.made, 2)

	partly.Unknown = PartHost | PartUnnamedHeaders | PartClient // of which no rule makes anything
	_, err = set.Inspect(partly)
	require.NoError(t, err)
	require.Len(t, set.engines.made, 2)
}

func TestGateIsSharedAndKnowsWhatIsLeftOut(t *testing.T) {
	set := open(t, nil)
	parsed := &Transaction{
		Method: "POST", URI: "/login", Protocol: "HTTP/1.1", RequestHeaders: []Header{{Name: "Host", Value: "192.0.2.1"}},
		Unknown: PartHost | PartUnnamedHeaders | PartUserAgent,
	}
	whole, err := set.engine(0)
	require.NoError(t, err)
	require.False(t, whole.ask(parsed, true).Clean)
	e, err := set.engine(parsed.Unknown)
	require.NoError(t, err)
	require.Same(t, whole.Reads(), e.Reads())
	require.True(t, e.ask(parsed, true).Clean)

	parsed.URI = "/login?a=../../etc/passwd"
	require.False(t, e.ask(parsed, true).Clean)
}

func TestPartsThatAreNotThereMakeNoForm(t *testing.T) {
	set := open(t, nil)
	for _, unknown := range []Parts{PartStatus | PartResponseHeader, PartResponseBody | PartResponseEnd, PartBodyEnd} {
		_, err := set.Inspect(&Transaction{Method: "GET", URI: "/", Protocol: "HTTP/1.1", Unknown: unknown})
		require.NoError(t, err)
	}
	require.Len(t, set.engines.made, 1)
	_, err := set.Inspect(&Transaction{Method: "POST", URI: "/", Protocol: "HTTP/1.1", RequestCut: true, Unknown: PartBodyEnd})
	require.NoError(t, err)
	require.Len(t, set.engines.made, 2)
}

func TestFormsOfARuleSetAreBounded(t *testing.T) {
	set := open(t, nil)
	es := &set.engines
	for unknown := range Parts(4 * maxEngines) {
		_, err := set.engine(unknown << 1)
		require.NoError(t, err)
		require.Less(t, len(es.made), maxEngines)
	}
	for _, c := range []struct{ unknown, least Parts }{
		{AllParts &^ (PartRequest | PartReferer), AllParts &^ PartRequest},
		{AllParts &^ PartClient, AllParts},
	} {
		e, err := set.engine(c.unknown)
		require.NoError(t, err)
		require.Same(t, es.made[key(leftOutIDs(es.needs, c.least))], e)
	}
	require.Len(t, es.made, maxEngines)
	whole, err := set.engine(0)
	require.NoError(t, err)
	require.Same(t, es.whole, whole)
}
