#include <stddef.h>
#include <stdint.h>

/* Weighted digit sum of an ISBN-13 modulo 10; 0 for a valid number, -1 for anything but digits. */
int bookshelf_isbn13_checksum(const uint8_t *digits, size_t length)
{
    unsigned sum = 0;

    for (size_t i = 0; i < length; i++) {
        if (digits[i] < '0' || digits[i] > '9')
            return -1;
        sum += (unsigned)(digits[i] - '0') * (i % 2 ? 3 : 1);
    }
    return (int)(sum % 10);
}
