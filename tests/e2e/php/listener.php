<?php
// A listener in the style of amoCRM's documentation: it reads $_POST, and tells what it read.
// Run as: php -S 127.0.0.1:PORT listener.php

$read = ['post' => $_POST, 'agent' => $_SERVER['HTTP_USER_AGENT'] ?? ''];

if (isset($_POST['leads']['status'][0])) {
    $lead = $_POST['leads']['status'][0];
    $read['lead'] = [
        'event' => 'status_lead',
        'id' => (int) $lead['id'],
        'name' => $lead['name'] ?? '',
        'status_id' => (int) $lead['status_id'],
        'price' => (float) ($lead['price'] ?? 0),
    ];
}

file_put_contents(
    getenv('LISTENER_FILE'),
    json_encode($read, JSON_UNESCAPED_UNICODE | JSON_THROW_ON_ERROR) . "\n",
    FILE_APPEND | LOCK_EX
);
