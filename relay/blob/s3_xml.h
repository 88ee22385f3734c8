/* s3_xml.h: the XML that S3 answers with, as far as it is read: elements that hold text. No namespaces,
 * attributes or document types are understood; the first two are passed over. Pure. */
#ifndef RELAY_BLOB_S3_XML_H
#define RELAY_BLOB_S3_XML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../common/buf.h"
#include "../../common/compiler.h"

enum { S3_XML_NAME_SIZE = 64 };

/* What is left to read; borrowed. */
struct s3_xml {
    const char *at, *end;
    const char *open; /* behind the start tag that was read last; NULL behind an end tag */
    char name[S3_XML_NAME_SIZE];
};

enum s3_xml_event {
    S3_XML_TEXT,  /* an element that holds text alone has ended: its name and decoded text */
    S3_XML_CLOSE, /* an element that holds others has ended: its name */
    S3_XML_END,   /* of the document */
    S3_XML_BAD,   /* no such XML: nothing more is read */
};

void s3_xml_begin(struct s3_xml *xml, const char *text, size_t len);
/* text is emptied first. */
MUST_CHECK enum s3_xml_event s3_xml_next(struct s3_xml *xml, struct buf *text);

/* The text of the first element of that name, appended; false where there is none. */
bool s3_xml_find(const char *document, size_t len, const char *name, struct buf *out);

/* A page of a listing. */
struct s3_page {
    bool (*each)(void *arg, const char *key, int64_t size); /* false ends it */
    void *arg;
    struct buf next; /* the token for the next page, empty behind the last; the caller frees */
    bool has_stopped;
};
/* Reads a ListBucketResult. False: it is none. */
MUST_CHECK bool s3_xml_page(const char *document, size_t len, struct s3_page *page);

#endif
