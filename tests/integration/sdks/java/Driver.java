// Makes calls of the official Java SDK: each a line of JSON, [name, arguments], answered with a line.

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.opentok.*;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

public class Driver {
    private interface Call {
        Object make(JsonNode given) throws Exception;
    }

    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Map<String, Call> CALLS = new LinkedHashMap<>();

    public static void main(String[] args) throws Exception {
        OpenTok sdk = new OpenTok.Builder(Integer.parseInt(args[1]), args[2]).apiUrl(args[0]).build();
        offerSessions(sdk);
        offerArchives(sdk);
        offerBroadcasts(sdk);
        offerOthers(sdk);
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            System.out.write((JSON.writeValueAsString(answer(JSON.readTree(line))) + "\n").getBytes(StandardCharsets.UTF_8));
            System.out.flush();
        }
        sdk.close();
    }

    private static ObjectNode answer(JsonNode call) {
        String name = call.get(0).asText();
        ObjectNode answer = JSON.createObjectNode();
        try {
            answer.set("value", JSON.valueToTree(value(name, call.get(1))));
        } catch (Exception error) {
            answer.put("error", error.getClass().getSimpleName()).put("message", error.getMessage());
        }
        return answer;
    }

    private static Object value(String name, JsonNode given) throws Exception {
        if (name.equals("offers")) return CALLS.keySet();
        if (!name.equals("methods")) return CALLS.get(name).make(given);
        return Arrays.stream(OpenTok.class.getDeclaredMethods())
            .filter(method -> Modifier.isPublic(method.getModifiers()))
            .map(Method::getName)
            .collect(Collectors.toSet());
    }

    private static void offerSessions(OpenTok sdk) {
        CALLS.put("create_session", given -> {
            SessionProperties.Builder properties = new SessionProperties.Builder();
            if (given.has("media")) properties.mediaMode(MediaMode.valueOf(given.get("media").asText().toUpperCase()));
            if (given.has("archive")) properties.archiveMode(ArchiveMode.valueOf(given.get("archive").asText().toUpperCase()));
            if (given.has("location")) properties.location(given.get("location").asText());
            return sdk.createSession(properties.build()).getSessionId();
        });
        CALLS.put("generate_token", given -> {
            TokenOptions.Builder options = new TokenOptions.Builder();
            if (given.has("role")) options.role(Role.valueOf(given.get("role").asText().toUpperCase()));
            if (given.has("data")) options.data(given.get("data").asText());
            if (given.has("classes")) options.initialLayoutClassList(texts(given.get("classes")));
            if (given.has("expires_at_s")) options.expireTime(given.get("expires_at_s").asLong());
            return sdk.generateToken(given.get("session_id").asText(), options.build());
        });
        CALLS.put("signal", given -> {
            SignalProperties signal =
                new SignalProperties.Builder().type(text(given, "type")).data(text(given, "data")).build();
            if (given.has("connection_id")) sdk.signal(text(given, "session_id"), text(given, "connection_id"), signal);
            else sdk.signal(text(given, "session_id"), signal);
            return null;
        });
        CALLS.put("force_disconnect", given -> {
            sdk.forceDisconnect(text(given, "session_id"), text(given, "connection_id"));
            return null;
        });
        CALLS.put("list_streams", given -> new ArrayList<>(sdk.listStreams(text(given, "session_id"))));
        CALLS.put("get_stream", given -> sdk.getStream(text(given, "session_id"), text(given, "stream_id")));
        CALLS.put("set_classes", given -> {
            StreamProperties.Builder stream = new StreamProperties.Builder().id(text(given, "stream_id"));
            texts(given.get("classes")).forEach(stream::addLayoutClass);
            sdk.setStreamLayouts(
                text(given, "session_id"), new StreamListProperties.Builder().addStreamProperties(stream.build()).build());
            return null;
        });
        CALLS.put("mute_stream", given -> {
            sdk.forceMuteStream(text(given, "session_id"), text(given, "stream_id"));
            return null;
        });
        CALLS.put("mute_all", given -> {
            MuteAllProperties all = new MuteAllProperties.Builder().excludedStreamIds(texts(given.get("excluded"))).build();
            sdk.forceMuteAll(text(given, "session_id"), all);
            return null;
        });
        CALLS.put("disable_mute", given -> {
            sdk.disableForceMute(text(given, "session_id"));
            return null;
        });
        CALLS.put("play_dtmf", given -> {
            if (given.has("connection_id"))
                sdk.playDTMF(text(given, "session_id"), text(given, "connection_id"), text(given, "digits"));
            else sdk.playDTMF(text(given, "session_id"), text(given, "digits"));
            return null;
        });
    }

    private static void offerArchives(OpenTok sdk) {
        CALLS.put("start_archive", given -> {
            ArchiveProperties.Builder properties = new ArchiveProperties.Builder().name(text(given, "name"));
            if (given.has("resolution")) properties.resolution(text(given, "resolution"));
            if (given.has("output_mode"))
                properties.outputMode(Archive.OutputMode.valueOf(text(given, "output_mode").toUpperCase()));
            return sdk.startArchive(text(given, "session_id"), properties.build());
        });
        CALLS.put("stop_archive", given -> sdk.stopArchive(text(given, "id")));
        CALLS.put("get_archive", given -> sdk.getArchive(text(given, "id")));
        CALLS.put("list_archives", given -> {
            if (given.has("session_id")) return new ArrayList<>(sdk.listArchives(text(given, "session_id")));
            return new ArrayList<>(given.has("offset")
                ? sdk.listArchives(given.get("offset").asInt(), given.get("count").asInt())
                : sdk.listArchives());
        });
        CALLS.put("delete_archive", given -> {
            sdk.deleteArchive(text(given, "id"));
            return null;
        });
        CALLS.put("set_archive_layout", given -> {
            ArchiveLayout layout = new ArchiveLayout(layoutType(text(given, "type")));
            sdk.setArchiveLayout(text(given, "id"), new ArchiveProperties.Builder().layout(layout).build());
            return null;
        });
        CALLS.put("add_archive_stream", given -> {
            sdk.addArchiveStream(text(given, "id"), text(given, "stream_id"), true, true);
            return null;
        });
        CALLS.put("remove_archive_stream", given -> {
            sdk.removeArchiveStream(text(given, "id"), text(given, "stream_id"));
            return null;
        });
    }

    private static void offerBroadcasts(OpenTok sdk) {
        CALLS.put("start_broadcast", given -> {
            BroadcastProperties.Builder properties = new BroadcastProperties.Builder();
            properties.hasHls(given.get("outputs").has("hls"));
            for (JsonNode target : given.get("outputs").path("rtmp"))
                properties.addRtmpProperties(new RtmpProperties.Builder()
                    .id(text(target, "id")).serverUrl(text(target, "serverUrl")).streamName(text(target, "streamName")).build());
            return sdk.startBroadcast(text(given, "session_id"), properties.build());
        });
        CALLS.put("stop_broadcast", given -> sdk.stopBroadcast(text(given, "id")));
        CALLS.put("get_broadcast", given -> sdk.getBroadcast(text(given, "id")));
        CALLS.put("set_broadcast_layout", given -> {
            BroadcastLayout layout = new BroadcastLayout(layoutType(text(given, "type")));
            sdk.setBroadcastLayout(text(given, "id"), new BroadcastProperties.Builder().layout(layout).build());
            return null;
        });
        CALLS.put("add_broadcast_stream", given -> {
            sdk.addBroadcastStream(text(given, "id"), text(given, "stream_id"), true, true);
            return null;
        });
        CALLS.put("remove_broadcast_stream", given -> {
            sdk.removeBroadcastStream(text(given, "id"), text(given, "stream_id"));
            return null;
        });
    }

    private static void offerOthers(OpenTok sdk) {
        CALLS.put("dial", given -> {
            SipProperties call = new SipProperties.Builder().sipUri(text(given, "uri")).build();
            return sdk.dial(text(given, "session_id"), text(given, "token"), call);
        });
        CALLS.put("connect_websocket", given -> {
            AudioConnectorProperties properties = new AudioConnectorProperties.Builder(text(given, "uri")).build();
            return sdk.connectAudioStream(text(given, "session_id"), text(given, "token"), properties);
        });
        CALLS.put("start_render", given -> {
            RenderProperties properties = RenderProperties.Builder().url(text(given, "url")).build();
            return sdk.startRender(text(given, "session_id"), text(given, "token"), properties);
        });
        CALLS.put("get_render", given -> sdk.getRender(text(given, "id")));
        CALLS.put("stop_render", given -> {
            sdk.stopRender(text(given, "id"));
            return null;
        });
        CALLS.put("list_renders", given -> sdk.listRenders());
    }

    private static ArchiveLayout.Type layoutType(String name) {
        for (ArchiveLayout.Type type : ArchiveLayout.Type.values()) if (type.toString().equals(name)) return type;
        throw new IllegalArgumentException(name);
    }

    private static String text(JsonNode given, String name) {
        return given.path(name).asText(null);
    }

    private static List<String> texts(JsonNode given) {
        List<String> texts = new ArrayList<>();
        given.forEach(one -> texts.add(one.asText()));
        return texts;
    }
}
