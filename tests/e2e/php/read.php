<?php
// What PHP makes of a request's body. Run as: php -d display_errors=0 -S 127.0.0.1:PORT read.php

echo json_encode((object) $_POST, JSON_INVALID_UTF8_SUBSTITUTE | JSON_UNESCAPED_UNICODE);
