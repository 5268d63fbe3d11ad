using System.ComponentModel;
using System.Net;
using System.Net.Sockets;
using Akka.Actor;
using Akka.Configuration;
using Akka.Remote.Transport;
using Rcmp.Native;

namespace Rcmp.Cluster.Transport;

/// <summary>Akka's tcp transport with one thread in place of five hand-overs: what arrives runs the actors it is for on the thread that has read it, and what they
/// answer is written by the same thread. Speaks the same bytes as Akka's own (akka.remote.dot-netty.tcp) and reads the same settings, so both sides of a connection
/// may have either.</summary>
/// <remarks>No TLS: whoever turns it on names Akka's own transport-class.</remarks>
internal sealed class SocketTransport : Akka.Remote.Transport.Transport, IWatchedSocket
{
    /// <summary>In Akka's section of this transport; set in our own nodes from <c>rcmp.node.max-connections</c>.</summary>
    public const string ConnectionsKey = "max-connections";

    private const int ConnectionsMaxUsual = 4096;

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(100);

    private readonly TaskCompletionSource<IAssociationEventListener> _associations = new();
    private readonly SocketLoop _loop;
    private readonly string _hostname;
    private readonly TimeSpan _connectTimeout;
    private readonly TransportLog _log;
    private readonly InboundConnections _inbound;
    private Socket? _listener;
    private ulong _token;
    private volatile Address _local = new("tcp", "");

    public SocketTransport(ActorSystem system, Config config)
    {
        if (config.GetBoolean("enable-ssl"))
            throw new ConfigurationException(
                "akka.remote.dot-netty.tcp.enable-ssl: the pool's transport has no TLS; set akka.remote.dot-netty.tcp.transport-class = \"Akka.Remote.Transport.DotNetty.TcpTransport,Akka.Remote\" too.");
        (System, Config, SchemeIdentifier) = (system, config, "tcp");
        MaximumPayloadBytes = config.GetByteSize("maximum-frame-size", null) ?? throw new ConfigurationException("akka.remote.dot-netty.tcp.maximum-frame-size is missing.");
        _hostname = config.GetString("hostname", "");
        _connectTimeout = config.GetTimeSpan("connection-timeout", TimeSpan.FromSeconds(15));
        _log = TransportLog.Of(system);
        _inbound = new InboundConnections(config.GetInt(ConnectionsKey, ConnectionsMaxUsual), _connectTimeout);
        _loop = new SocketLoop(ActorLane.Of(system));
        (system.Scheduler as DueTimeScheduler)?.LendTo(ActorLane.Of(system));
    }

    public override bool IsResponsibleFor(Address remote) => true;

    public override async Task<(Address, TaskCompletionSource<IAssociationEventListener>)> Listen()
    {
        var address = _hostname.Length == 0 ? IPAddress.Any : await ResolveAsync(_hostname).ConfigureAwait(false);
        var socket = NewSocket(address.AddressFamily);
        try
        {
            socket.Bind(new IPEndPoint(address, Config.GetInt("port")));
            socket.Listen(Config.GetInt("backlog", 4096));
        }
        catch
        {
            socket.Dispose();
            await _loop.StopAsync().ConfigureAwait(false);
            throw;
        }

        var bound = (IPEndPoint)socket.LocalEndPoint!;
        var publicPort = Config.GetInt("public-port");
        var name = Config.GetString("public-hostname", "") is { Length: > 0 } named ? named : _hostname.Length > 0 ? _hostname : bound.Address.ToString();
        _local = new Address(SchemeIdentifier, System.Name, name, publicPort > 0 ? publicPort : bound.Port);
        _listener = socket;
        // Not before there is somebody to tell of connections.
        _ = _associations.Task.ContinueWith(
            _ => _token = _loop.Add(socket, this, Readiness.Read), CancellationToken.None,
            TaskContinuationOptions.OnlyOnRanToCompletion | TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        return (_local, _associations);
    }

    public override async Task<AssociationHandle> Associate(Address remoteAddress)
    {
        SocketAssociation? association = null;
        try
        {
            var address = await ResolveAsync(remoteAddress.Host).ConfigureAwait(false);
            var socket = NewSocket(address.AddressFamily);
            Begin(socket, new IPEndPoint(address, remoteAddress.Port ?? 0));
            association = new SocketAssociation(socket, _local, remoteAddress, _loop, (int)MaximumPayloadBytes, _log);
            await association.Connected.WaitAsync(_connectTimeout).ConfigureAwait(false);
            return association;
        }
        catch (Exception e) when (e is Win32Exception or TimeoutException or ObjectDisposedException)
        {
            // The first is a SocketException, or that of a loop that has just ended.
            association?.Close();
            throw new InvalidAssociationException(e is TimeoutException ? $"{remoteAddress} does not answer." : $"{remoteAddress}: {e.Message}", e);
        }
    }

    public override async Task<bool> Shutdown()
    {
        await _loop.StopAsync().ConfigureAwait(false);
        return true;
    }

    public void OnReady(Readiness readiness)
    {
        if (_inbound.IsBehind)
        {
            Rest();
            return;
        }

        Socket socket;
        try
        {
            socket = _listener!.Accept();
        }
        catch (SocketException e) when (e.SocketErrorCode is SocketError.TooManyOpenSockets or SocketError.NoBufferSpaceAvailable)
        {
            Rest();
            return;
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // Whoever knocked is gone: the next one will be heard again.
            return;
        }

        SocketAssociation? association = null;
        try
        {
            var from = (IPEndPoint)socket.RemoteEndPoint!;
            if (_inbound.IsFull)
            {
                socket.Dispose();
                _log.Full(from.ToString(), _inbound.KnownMax);
                return;
            }

            Prepare(socket);
            var remote = new Address(SchemeIdentifier, System.Name, from.Address.ToString(), from.Port);
            association = new SocketAssociation(socket, _local, remote, _loop, (int)MaximumPayloadBytes, _log, _inbound);
            if (_inbound.Add(association) is { } displaced)
            {
                _log.Silent(displaced.Peer, InboundConnections.StrangersMax);
                displaced.CloseBroken();
            }

            // Akka's handshake timer runs from here: akka.remote.dot-netty.tcp.connection-timeout.
            _associations.Task.Result.Notify(new InboundAssociation(association));
        }
        catch (Exception e) when (e is Win32Exception or ObjectDisposedException)
        {
            // It has gone again, or the transport has been stopped since it was accepted: an exception here would end the process.
            socket.Dispose();
            association?.Close();
        }
    }

    public void Close()
    {
        if (_listener is not { } socket) return;
        _loop.Remove(socket, _token);
        socket.Dispose();
    }

    /// <summary>Whoever knocks waits. To look again at once would take a core, and be in vain.</summary>
    private void Rest()
    {
        try
        {
            _loop.Change(_listener!, _token, Readiness.None);
            System.Scheduler.Advanced.ScheduleOnce(Pause, ListenAgain);
        }
        catch (Exception e) when (e is Win32Exception or ObjectDisposedException or SchedulerException)
        {
            // The transport is being stopped: an exception here would end the process.
        }
    }

    private void ListenAgain()
    {
        try
        {
            _loop.Change(_listener!, _token, Readiness.Read);
        }
        catch (Exception e) when (e is Win32Exception or ObjectDisposedException)
        {
            // The transport has been stopped meanwhile.
        }
    }

    private static void Begin(Socket socket, IPEndPoint remote)
    {
        try
        {
            socket.Connect(remote);
        }
        catch (SocketException e) when (e.SocketErrorCode is SocketError.WouldBlock or SocketError.InProgress)
        {
            // The loop hears how it ends.
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private static async Task<IPAddress> ResolveAsync(string host)
    {
        if (IPAddress.TryParse(host, out var address)) return address;
        var found = await Dns.GetHostAddressesAsync(host).ConfigureAwait(false);
        return found.FirstOrDefault(a => a.AddressFamily == AddressFamily.InterNetwork) ?? found.FirstOrDefault() ?? throw new SocketException((int)SocketError.HostNotFound);
    }

    private Socket NewSocket(AddressFamily family)
    {
        var socket = new Socket(family, SocketType.Stream, ProtocolType.Tcp);
        Prepare(socket);
        return socket;
    }

    private void Prepare(Socket socket)
    {
        socket.Blocking = false;
        socket.NoDelay = true;
        socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
        if (Config.GetByteSize("send-buffer-size", null) is { } send) socket.SendBufferSize = (int)send;
        if (Config.GetByteSize("receive-buffer-size", null) is { } receive) socket.ReceiveBufferSize = (int)receive;
    }
}
