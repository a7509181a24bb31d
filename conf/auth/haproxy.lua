-- The action lua.waf asks "wafctl auth" about a request. It sets txn.waf to passed, blocked or failed, and txn.waf_alert to the ID of
-- the alert.
local url = "http://127.0.0.1:9000/haproxy"

-- Headers about the connection, or about a body, which is not passed on.
local dropped = {
    ["connection"] = true, ["content-length"] = true, ["expect"] = true, ["host"] = true, ["te"] = true, ["transfer-encoding"] = true,
    ["upgrade"] = true,
}

local function describe(txn)
    local headers = {}
    for name, values in pairs(txn.http:req_get_headers()) do
        if not dropped[name] then
            headers[name] = {}
            for i = 0, #values do
                table.insert(headers[name], values[i])
            end
        end
    end
    headers["x-forwarded-method"] = {txn.f:method()}
    headers["x-forwarded-uri"] = {txn.f:pathq()}
    headers["x-forwarded-host"] = {txn.f:req_hdr("host") or ""}
    headers["x-forwarded-for"] = {txn.f:src()}
    return headers
end

core.register_action("waf", {"http-req"}, function(txn)
    local answer = core.httpclient():get{url = url, headers = describe(txn), timeout = 2000}
    local verdict = "failed"
    if answer and answer.status == 200 then
        verdict = "passed"
    elseif answer and answer.status == 403 then
        verdict = "blocked"
        local alert = answer.headers["x-waf-alert"]
        txn:set_var("txn.waf_alert", alert and alert[0] or "")
    end
    txn:set_var("txn.waf", verdict)
end)
