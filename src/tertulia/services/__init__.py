"""Use cases: sessions and projects over the ports of the store, the media router, the clock and the clients' sockets.

How a program is wired (`app.py`), in this order:

    clock, ids = SystemClock(), SystemIds()                          # tertulia.clock, tertulia.ids
    store = await SqlStore.open("sqlite:///…/tertulia.db") # adapters.storage; runs the migrations
    router = RouterLink(socket_path, clock)                          # adapters.router
    projects = Projects(store, ids, clock)                                # services.projects
    sessions = Sessions(                                             # services.sessions
        store=store, router=router, codec=SignallingCodec(), clock=clock, ids=ids, projects=projects,
        verify_token=verify_client_token, settings=SessionSettings(limits=SessionLimits(), …),
    )
    await sessions.start()                                           # loads the seats that are held
    await router.start(sessions.router_reports)                      # connects in the background, retries for ever
    signalling = SignallingEndpoint(sessions, clock, ids, SignallingLimits(…))   # adapters.websocket, an ASGI program
    routes = [WebSocketRoute("/signalling", signalling), …]

and taken down in the reverse order:

    await sessions.close()      # every socket closes with 1012, every seat stays in the store
    await router.close()
    await store.close()
"""
