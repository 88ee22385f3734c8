/* absent.c: what older clients ask for and this relay does not have. Answered to everybody and never counted
 * as a failed login: those clients ask at each start. */
#include "api.h"

enum verdict api_realtime_ticket(struct exchange *ex)
{
    exchange_error(ex, 501, "not_implemented", "This relay has no realtime tickets: use GET /api/events.");
    return VERDICT_DONE;
}

enum verdict api_skills(struct exchange *ex)
{
    exchange_error(ex, 404, "not_found", "This relay keeps no skills.");
    return VERDICT_DONE;
}

enum verdict api_install_path(struct exchange *ex)
{
    exchange_error(ex, 404, "not_found", "This relay keeps no install paths.");
    return VERDICT_DONE;
}
