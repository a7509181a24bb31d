package rules

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/coverage"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/model"
)

func TestRulesThatJudgeByAbsenceNeedTheirParts(t *testing.T) {
	want := map[int]model.Parts{
		200002:  model.PartBodyEnd,
		200003:  model.PartBodyEnd,
		911100:  model.PartRequest,
		920100:  model.PartRequest | model.PartTarget | model.PartQuery | model.PartEscapes | model.PartProtocol,
		920180:  model.PartProtocol | model.PartContentLength | model.PartTransferEncoding,
		920200:  model.PartRequest | model.PartTarget,
		920240:  model.PartBodyEnd,
		920250:  model.PartBodyEnd,
		920280:  model.PartHost,
		920300:  model.PartRequest | model.PartAccept,
		920310:  model.PartRequest,
		920311:  model.PartRequest | model.PartUserAgent,
		920320:  model.PartUserAgent,
		920340:  model.PartContentType,
		920350:  model.PartHost,
		920430:  model.PartProtocol,
		920640:  model.PartContentType,
		920650:  model.PartRequest,
		931130:  model.PartHostName,
		943110:  model.PartHostName,
		943120:  model.PartReferer,
		954130:  model.PartStatus,
		7100260: model.PartRequest | model.PartTarget,
		7110520: model.PartRequest | model.PartTarget,
		7110521: model.PartRequest | model.PartTarget,
		7110530: model.PartRequest | model.PartTarget,
		7110531: model.PartRequest | model.PartTarget,
		7110600: model.PartRequest | model.PartTarget,
		7110601: model.PartRequest | model.PartTarget,
		7110800: model.PartRequest | model.PartTarget,
		7110801: model.PartRequest | model.PartTarget,
		7110810: model.PartRequest | model.PartTarget,
		7110811: model.PartRequest | model.PartTarget,
		7110910: model.PartRequest | model.PartTarget,
	}
	got := map[int]model.Parts{}
	for _, l := range open(t, nil).LeftOut(model.AllParts) {
		got[l.ID] = l.Needs
		require.NotEmpty(t, l.Why)
	}
	require.Equal(t, want, got)
}

func TestRulesWithNothingToLookAtAreIdle(t *testing.T) {
	set := open(t, nil)
	idle := func(absent model.Parts) map[int]bool {
		found := map[int]bool{}
		for _, l := range set.Idle(absent) {
			found[l.ID] = true
		}
		return found
	}
	require.Equal(t, map[int]bool{932205: true, 932206: true, 932207: true, 943110: true, 943120: true}, idle(model.PartReferer))
	noResponse := idle(model.PartStatus | model.PartResponseHeader | model.PartResponseBody | model.PartResponseEnd)
	require.True(t, noResponse[951110] && noResponse[950100])
	require.False(t, noResponse[942100])
	other := idle(model.AllParts)
	for id, want := range map[int]bool{942100: false, 941100: false, 932160: false, 913100: true, 920100: true, 930130: true} {
		require.Equal(t, want, other[id], "%d", id)
	}
	e, err := set.engine(model.AllParts)
	require.NoError(t, err)
	require.Less(t, e.Rules(), set.Rules()-100)
}

func TestRulesThatNeedUnknownPartsAreLeftOut(t *testing.T) {
	set := openFresh(t, nil)
	request := func() *model.Transaction {
		return &model.Transaction{Method: "POST", URI: "/?a=../../etc/passwd", Protocol: "HTTP/1.1", RequestHeaders: []model.Header{{Name: "User-Agent", Value: "x"}}}
	}
	all, err := set.Inspect(request())
	require.NoError(t, err)
	require.Subset(t, ids(all), []int{920280, 920180, 930120})

	partly := request()
	partly.Unknown = model.PartHost | model.PartUnnamedHeaders
	some, err := set.Inspect(partly)
	require.NoError(t, err)
	require.NotContains(t, ids(some), 920280)
	require.NotContains(t, ids(some), 920180)
	require.Contains(t, ids(some), 930120)
	require.Len(t, set.engines.made, 2)

	partly.Unknown = model.PartHost | model.PartUnnamedHeaders | model.PartClient // of which no rule makes anything
	_, err = set.Inspect(partly)
	require.NoError(t, err)
	require.Len(t, set.engines.made, 2)
}

func TestThePrefilterIsSharedAndKnowsWhatIsLeftOut(t *testing.T) {
	set := open(t, nil)
	parsed := &model.Transaction{
		Method: "POST", URI: "/login", Protocol: "HTTP/1.1", RequestHeaders: []model.Header{{Name: "Host", Value: "192.0.2.1"}},
		Unknown: model.PartHost | model.PartUnnamedHeaders | model.PartUserAgent,
	}
	whole, err := set.engine(0)
	require.NoError(t, err)
	require.False(t, whole.Ask(parsed, true).Clean)
	e, err := set.engine(parsed.Unknown)
	require.NoError(t, err)
	require.Same(t, whole.Reads(), e.Reads())
	require.True(t, e.Ask(parsed, true).Clean)

	parsed.URI = "/login?a=../../etc/passwd"
	require.False(t, e.Ask(parsed, true).Clean)
}

func TestPartsThatAreNotThereMakeNoVariant(t *testing.T) {
	set := openFresh(t, nil)
	for _, unknown := range []model.Parts{model.PartStatus | model.PartResponseHeader, model.PartResponseBody | model.PartResponseEnd, model.PartBodyEnd} {
		_, err := set.Inspect(&model.Transaction{Method: "GET", URI: "/", Protocol: "HTTP/1.1", Unknown: unknown})
		require.NoError(t, err)
	}
	require.Len(t, set.engines.made, 1)
	_, err := set.Inspect(&model.Transaction{Method: "POST", URI: "/", Protocol: "HTTP/1.1", RequestCut: true, Unknown: model.PartBodyEnd})
	require.NoError(t, err)
	require.Len(t, set.engines.made, 2)
}

func TestVariantsOfARuleSetAreBounded(t *testing.T) {
	set := openFresh(t, nil)
	es := &set.engines
	for unknown := range model.Parts(4 * maxEngines) {
		_, err := set.engine(unknown << 1)
		require.NoError(t, err)
		require.Less(t, len(es.made), maxEngines)
	}
	for _, c := range []struct{ unknown, least model.Parts }{
		{model.AllParts &^ (model.PartRequest | model.PartReferer), model.AllParts &^ model.PartRequest},
		{model.AllParts &^ model.PartClient, model.AllParts},
	} {
		e, err := set.engine(c.unknown)
		require.NoError(t, err)
		require.Same(t, es.made[key(coverage.LeftOut(es.needs, c.least))], e)
	}
	require.Len(t, es.made, maxEngines)
	whole, err := set.engine(0)
	require.NoError(t, err)
	require.Same(t, es.whole, whole)
}
