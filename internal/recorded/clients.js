// Sends what programs in Node.js send: fetch and the module http. Arguments: the address of a server.
const http = require('http')
const url = 'http://' + process.argv[2]
const json = (method, path, body, type) => fetch(url + path, { method, headers: { 'Content-Type': type || 'application/json' }, body: JSON.stringify(body) })
const main = async () => {
  await fetch(url + '/api/session')
  await json('POST', '/graphql', {
    operationName: 'Cart',
    query: 'query Cart($id: ID!) {\n  cart(id: $id) {\n    ...CartParts\n  }\n}\nfragment CartParts on Cart { id lines { sku n total { amount currency } } }',
    variables: { id: 'c-17' },
    extensions: { persistedQuery: { version: 1, sha256Hash: 'ecf4edb46db40b5132295c0291d62fb65d6759a9eedfa4d5d612dd5ec54a6b38' } }
  })
  await json('POST', '/graphql', {
    query: 'mutation { addLine(input: {cartId: "c-17", sku: "A-1", n: 2, note: "gift, please wrap"}) { cart { id } userErrors { field message } } }'
  })
  await json('POST', '/rpc', { jsonrpc: '2.0', id: 1, method: 'eth_getBlockByNumber', params: ['0x10d4f', false] })
  await json('PATCH', '/api/items/7', { price: 12.5, tags: ['new', 'sale'] }, 'application/merge-patch+json')
  await json('POST', '/api/events', { data: { type: 'events', attributes: { name: 'view', at: '2026-05-30T07:16:48.123Z' } } }, 'application/vnd.api+json')
  await fetch(url + '/api/items/7', { method: 'PUT', headers: { 'Content-Type': 'application/json; charset=utf-8' }, body: '{"name":"desk","description":"It\'s 120 cm; oak -- oiled"}' })
  await fetch(url + '/api/items/7', { method: 'DELETE' })
  await fetch(url + '/logs', { method: 'POST', headers: { 'Content-Type': 'application/x-ndjson' }, body: '{"level":"info","msg":"start"}\n{"level":"warn","msg":"slow query: SELECT id FROM carts WHERE id = $1"}\n' })
  await new Promise(done => http.get(url + '/health?verbose', r => { r.resume(); r.on('end', done) }))
}
main().catch(() => {})
