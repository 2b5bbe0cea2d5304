/* Prints every result of one station, each once and in order, over restarts of this program and of the station.
 *
 *   cc -o subscriber subscriber.c -lzmq             Debian: apt-get install gcc libzmq3-dev
 *   ./subscriber tcp://127.0.0.1:5570 STATION CURSOR-FILE [SERVER-KEY PUBLIC-KEY SECRET-KEY]
 *
 * It does what docs/wire-format.md says under "A subscriber that misses nothing", with the numbers of its steps. CURSOR-FILE
 * keeps how far it has come; where there is no such file it begins with the oldest result. Gaps go to standard error.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

enum { REPLY_LIMIT_MS = 2000, PATIENCE_MS = 10000, AGAIN_MS = 250, LINE_BYTES = 64 };

typedef long long number;
typedef struct {
    number session, seq;
} place;

static place position; /* everything up to here was printed, or told as a gap */
static place newest;   /* what the station is known to have published */
static int cursor_file;
static const char *station, *results_address;
static const char *server_key, *public_key, *secret_key;
static void *context, *control;
static number control_port;
static unsigned requests;

static void fail(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, zmq_strerror(errno));
    exit(1);
}

static int after(place a, place b)
{
    return a.session > b.session || (a.session == b.session && a.seq > b.seq);
}

static number now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (number)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The value of a key of the object that begins at `json`, not of objects within it; NULL where there is none. */
static const char *find(const char *json, const char *key)
{
    size_t length = strlen(key);
    int depth = 0;
    for (; *json; json++) {
        if (*json == '{' || *json == '[')
            depth++;
        else if ((*json == '}' || *json == ']') && --depth == 0)
            return NULL;
        else if (*json == '"') {
            const char *text = ++json;
            for (; *json && *json != '"'; json++)
                if (*json == '\\' && json[1])
                    json++;
            if (!*json)
                return NULL;
            if (depth == 1 && json[1] == ':' && (size_t)(json - text) == length && !memcmp(text, key, length))
                return json + 2;
        }
    }
    return NULL;
}

static number find_number(const char *json, const char *key)
{
    const char *value = find(json, key);
    return value ? strtoll(value, NULL, 10) : 0;
}

/* The whole message part as text with a final zero; `more` says whether another part follows. Free it. */
static char *receive_part(void *socket, int *more)
{
    zmq_msg_t message;
    zmq_msg_init(&message);
    if (zmq_msg_recv(&message, socket, 0) < 0)
        fail("receive");
    char *text = malloc(zmq_msg_size(&message) + 1);
    if (!text)
        fail("memory");
    memcpy(text, zmq_msg_data(&message), zmq_msg_size(&message));
    text[zmq_msg_size(&message)] = 0;
    *more = zmq_msg_more(&message);
    zmq_msg_close(&message);
    return text;
}

/* Step 8: only after the result has been dealt with. */
static void move_to(place to)
{
    char line[LINE_BYTES + 1];
    position = to;
    snprintf(line, sizeof line, "%-31lld %31lld\n", to.session, to.seq);
    if (pwrite(cursor_file, line, LINE_BYTES, 0) != LINE_BYTES)
        fail("cursor file");
}

static void tell_gap(number session, number first, number last)
{
    if (first <= last)
        fprintf(stderr, "gap %lld %lld %lld\n", session, first, last);
}

/* Step 6b: everything up to `to` that was not printed is missing. */
static void pass_over(place to)
{
    if (!after(to, position))
        return;
    tell_gap(to.session, to.session == position.session ? position.seq + 1 : 1, to.seq);
    move_to(to);
}

static void print_result(const char *json, place at)
{
    if (!after(at, position))
        return;
    pass_over((place){at.session, at.seq - 1});
    puts(json);
    fflush(stdout);
    move_to(at);
}

/* Step 1, and keys where there are some. */
static void prepare(void *socket)
{
    int yes = 1, idle_s = 10;
    zmq_setsockopt(socket, ZMQ_TCP_KEEPALIVE, &yes, sizeof yes);
    zmq_setsockopt(socket, ZMQ_TCP_KEEPALIVE_IDLE, &idle_s, sizeof idle_s);
    if (!server_key)
        return;
    zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, server_key, strlen(server_key));
    zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, public_key, strlen(public_key));
    zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, secret_key, strlen(secret_key));
}

/* Step 3 */
static void connect_control(number port)
{
    char address[300];
    int yes = 1, none = 0;
    const char *colon = strrchr(results_address, ':');
    if (control && port == control_port)
        return;
    if (control)
        zmq_close(control);
    control = zmq_socket(context, ZMQ_DEALER);
    zmq_setsockopt(control, ZMQ_IMMEDIATE, &yes, sizeof yes);
    zmq_setsockopt(control, ZMQ_LINGER, &none, sizeof none);
    prepare(control);
    snprintf(address, sizeof address, "%.*s:%lld", (int)(colon - results_address), results_address, port);
    if (zmq_connect(control, address) < 0)
        fail(address);
    control_port = port;
}

/* Step 6a: what is gone, in the order in which the reply names it. */
static void tell_expired(const char *header)
{
    const char *list = find(header, "expired");
    for (const char *gap = list; gap && *gap && *gap != ']'; gap++)
        if (*gap == '{') {
            fprintf(stderr, "gap %lld %lld %lld\n", find_number(gap, "session"), find_number(gap, "first"),
                    find_number(gap, "last"));
            gap = strchr(gap, '}');
        }
}

/* Step 6: one request and its reply. Returns 1 when there is more, 0 when there is not, -1 when nobody answered. */
static int replay(void)
{
    char request[200], id[20];
    number until = now_ms() + REPLY_LIMIT_MS;
    snprintf(id, sizeof id, "\"%u\"", ++requests);
    int length = snprintf(request, sizeof request, "{\"command\":\"replay\",\"id\":%s,\"session\":%lld,\"seq\":%lld}", id,
                          position.session, position.seq);
    if (!control || zmq_send(control, request, length, ZMQ_DONTWAIT) < 0)
        return -1;
    for (number left; (left = until - now_ms()) > 0;) {
        zmq_pollitem_t item = {control, 0, ZMQ_POLLIN, 0};
        if (zmq_poll(&item, 1, left) <= 0)
            continue;
        int more;
        char *header = receive_part(control, &more);
        const char *found = find(header, "id");
        int is_ours = found && !strncmp(found, id, strlen(id)) && !find(header, "error");
        if (is_ours)
            tell_expired(header);
        while (more) {
            char *json = receive_part(control, &more);
            place at = {find_number(json, "session"), find_number(json, "seq")};
            if (is_ours && after(at, position)) { /* what lies between is in `expired`, and was told */
                puts(json);
                fflush(stdout);
                move_to(at);
            }
            free(json);
        }
        place reach = {find_number(header, "session"), find_number(header, "seq")};
        const char *there_is_more = find(header, "more");
        int result = there_is_more && !strncmp(there_is_more, "true", 4);
        free(header);
        if (!is_ours)
            continue;
        if (after(reach, position))
            move_to(reach);
        return result;
    }
    return -1;
}

/* Steps 6 and 7: until everything before `until` is there, or patience is over. */
static void catch_up(place until)
{
    number since = now_ms();
    while (after(until, position)) {
        place before = position;
        place wanted = newest;
        int more = replay();
        if (more == 0 && position.session < wanted.session && until.seq == 0)
            move_to((place){wanted.session, 0}); /* step 6c: the earlier session has no more */
        if (after(position, before))
            since = now_ms();
        else if (now_ms() - since > PATIENCE_MS) {
            if (position.session != until.session)
                fprintf(stderr, "gap %lld %lld %lld\n", position.session, position.seq + 1, position.seq);
            pass_over(until);
        } else {
            struct timespec pause = {0, AGAIN_MS * 1000000L};
            nanosleep(&pause, NULL);
        }
    }
}

static void hear(void *stream)
{
    static int early_beats;
    int more;
    char *topic = receive_part(stream, &more);
    char *json = more ? receive_part(stream, &more) : NULL;
    while (more)
        free(receive_part(stream, &more));
    if (json && !strncmp(topic, "heartbeat/", 10)) { /* step 5 */
        place at = {find_number(json, "session"), find_number(json, "last_seq")};
        connect_control(find_number(json, "control_port"));
        newest = at;
        early_beats = at.session < position.session ? early_beats + 1 : 0;
        if (early_beats == 3) { /* step 9 */
            fprintf(stderr, "gap %lld %lld %lld\n", position.session, position.seq + 1, position.seq);
            move_to((place){at.session, 0});
        }
        catch_up(at);
    } else if (json && control) { /* step 4 */
        place at = {find_number(json, "session"), find_number(json, "seq")};
        if (after(at, newest))
            newest = at;
        if (after(at, position)) {
            catch_up((place){at.session, at.seq - 1});
            print_result(json, at);
        }
    }
    free(topic);
    free(json);
}

int main(int count, char **words)
{
    char topic[100], line[LINE_BYTES + 1] = "";
    if (count != 4 && count != 7) {
        fprintf(stderr, "usage: %s ADDRESS STATION CURSOR-FILE [SERVER-KEY PUBLIC-KEY SECRET-KEY]\n", words[0]);
        return 2;
    }
    results_address = words[1];
    station = words[2];
    if (count == 7)
        server_key = words[4], public_key = words[5], secret_key = words[6];
    cursor_file = open(words[3], O_RDWR | O_CREAT, 0644); /* step 2 */
    if (cursor_file < 0 || pread(cursor_file, line, LINE_BYTES, 0) < 0)
        fail(words[3]);
    sscanf(line, "%lld %lld", &position.session, &position.seq);

    context = zmq_ctx_new();
    void *stream = zmq_socket(context, ZMQ_SUB); /* step 1 */
    int room = 10000;
    zmq_setsockopt(stream, ZMQ_RCVHWM, &room, sizeof room);
    prepare(stream);
    snprintf(topic, sizeof topic, "result/%s/", station);
    zmq_setsockopt(stream, ZMQ_SUBSCRIBE, topic, strlen(topic));
    snprintf(topic, sizeof topic, "heartbeat/%s/", station);
    zmq_setsockopt(stream, ZMQ_SUBSCRIBE, topic, strlen(topic));
    if (!strrchr(results_address, ':') || zmq_connect(stream, results_address) < 0)
        fail(results_address);
    for (;;)
        hear(stream);
}
