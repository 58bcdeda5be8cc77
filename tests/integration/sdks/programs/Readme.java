// An application's server as the Java SDK's README teaches it, for OpenTok: no address is named.

import com.opentok.MediaMode;
import com.opentok.MuteAllProperties;
import com.opentok.OpenTok;
import com.opentok.Role;
import com.opentok.Session;
import com.opentok.SessionProperties;
import com.opentok.SignalProperties;
import com.opentok.TokenOptions;
import com.opentok.exception.OpenTokException;
import java.util.List;
import java.util.Scanner;

public class Readme {
    public static void main(String[] args) throws OpenTokException {
        int apiKey = Integer.parseInt(System.getenv("API_KEY"));
        String apiSecret = System.getenv("API_SECRET");

        OpenTok opentok = new OpenTok(apiKey, apiSecret);

        Session session = opentok.createSession(new SessionProperties.Builder().mediaMode(MediaMode.ROUTED).build());
        String sessionId = session.getSessionId();
        System.out.println(sessionId);
        System.out.println(session.generateToken(new TokenOptions.Builder().role(Role.MODERATOR).data("name=Ida").build()));

        String connectionId = new Scanner(System.in).nextLine();
        opentok.signal(sessionId, connectionId, new SignalProperties.Builder().type("chat").data("Hello!").build());
        opentok.forceMuteAll(sessionId, new MuteAllProperties.Builder().excludedStreamIds(List.of()).build());
        opentok.disableForceMute(sessionId);
        System.out.println(opentok.listStreams(sessionId).size());
        opentok.forceDisconnect(sessionId, connectionId);
        try {
            opentok.forceDisconnect(sessionId, connectionId);
        } catch (OpenTokException refusal) {
            System.out.println(refusal.getClass().getSimpleName());
        }
        opentok.close();
    }
}
