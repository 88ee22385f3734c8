/* A sealed text out of a store that others may have written to. */
#include <stdint.h>
#include <stdlib.h>

#include "../../relay/store/store_cipher.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct store_cipher *cipher;
    char key_id[CIPHER_KEY_ID_SIZE];
    struct buf text = {0};
    if (!cipher)
        cipher = store_cipher_new("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", &text);
    buf_reset(&text);
    if (store_cipher_open(cipher, "frontend", (const char *)data, size, &text, key_id) == CIPHER_OPENED &&
        text.len + 40 > size)
        abort(); /* longer than what it was sealed to */
    buf_free(&text);
    return 0;
}
