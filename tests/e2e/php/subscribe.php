<?php
# An application in the style of amoCRM's documentation: it logs in, subscribes, lists and unsubscribes with cURL.
# Run as: php subscribe.php <address of amoCRM> <login> <hash> <address of the application>
# Prints each answer as a line of JSON: {"step", "code", "type", "body"}.
[, $amocrm, $login, $hash, $hook] = $argv;
$cookies = tempnam(sys_get_temp_dir(), 'cookie');

function call($step, $link, $fields = null, $json = false)
{
    global $cookies;
    $curl = curl_init();
    curl_setopt($curl, CURLOPT_RETURNTRANSFER, true);
    curl_setopt($curl, CURLOPT_USERAGENT, 'amoCRM-API-client/1.0');
    curl_setopt($curl, CURLOPT_URL, $link);
    curl_setopt($curl, CURLOPT_HEADER, false);
    curl_setopt($curl, CURLOPT_COOKIEFILE, $cookies);
    curl_setopt($curl, CURLOPT_COOKIEJAR, $cookies);
    if ($fields !== null) {
        curl_setopt($curl, CURLOPT_CUSTOMREQUEST, 'POST');
        curl_setopt($curl, CURLOPT_POSTFIELDS, $json ? json_encode($fields) : http_build_query($fields));
        if ($json) {
            curl_setopt($curl, CURLOPT_HTTPHEADER, ['Content-Type: application/json']);
        }
    }
    $out = curl_exec($curl);
    $code = (int)curl_getinfo($curl, CURLINFO_HTTP_CODE);
    $type = curl_getinfo($curl, CURLINFO_CONTENT_TYPE);
    $errors = [301 => 'Moved permanently', 400 => 'Bad request', 401 => 'Unauthorized', 403 => 'Forbidden',
        404 => 'Not found', 500 => 'Internal server error', 502 => 'Bad gateway', 503 => 'Service unavailable'];
    # From the documentation: "if the code is neither 200 nor 204, report the error"
    if ($code != 200 && $code != 204) {
        fwrite(STDERR, "$step: " . ($errors[$code] ?? 'Undescribed error') . " $code $out\n");
        exit(1);
    }
    $body = json_decode($out, true);
    echo json_encode(['step' => $step, 'code' => $code, 'type' => $type, 'body' => $body]), "\n";
    return $body;
}

# As the documentation logs in: fields of a form, and a cookie from then on.
$user = ['USER_LOGIN' => $login, 'USER_HASH' => $hash];
$response = call('login', "$amocrm/private/api/auth.php?type=json", $user);
if (!isset($response['response']['auth']) || !$response['response']['auth']) {
    exit(1);
}

# Which account is it? Libraries ask before anything else, some of them with a slash too many.
call('account', "$amocrm/private/api/v2/json/accounts/current");
call('account v2', "$amocrm//api/v2/account");

# With the cookie, the body from http_build_query.
$subscribe = ['subscribe' => [['url' => $hook, 'events' => ['add_lead', 'status_lead']]]];
call('subscribe', "$amocrm/api/v2/webhooks/subscribe", $subscribe);
call('list', "$amocrm/api/v2/webhooks");

# Without the cookie, login and hash in the query, the body as JSON.
unlink($cookies);
$query = http_build_query($user);
call('login by query', "$amocrm/private/api/auth.php?type=json&$query");
unlink($cookies);
call('subscribe again', "$amocrm/api/v2/webhooks/subscribe?$query",
    ['subscribe' => [['url' => $hook, 'events' => ['add_contact']]]], true);
call('unsubscribe one', "$amocrm/api/v2/webhooks/unsubscribe?$query",
    ['unsubscribe' => [['url' => $hook, 'events' => ['add_lead']]]]);
call('list v1', "$amocrm/private/api/v2/json/webhooks/list?$query");
call('unsubscribe', "$amocrm/api/v2/webhooks/unsubscribe?$query", ['unsubscribe' => [['url' => $hook]]]);
call('list after', "$amocrm/api/v2/webhooks?$query");
