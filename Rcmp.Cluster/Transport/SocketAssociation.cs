using System.Buffers.Binary;
using System.Diagnostics;
using System.Net.Sockets;
using Akka.Actor;
using Akka.Remote.Transport;
using Google.Protobuf;
using Rcmp.Native;

namespace Rcmp.Cluster.Transport;

/// <summary>One connection to another system. Written to by whoever has something to say; read by the loop once Akka has named a listener.</summary>
internal sealed class SocketAssociation : AssociationHandle, IWatchedSocket
{
    /// <summary>What the socket does not take is kept, up to this; then Akka is told to wait.</summary>
    private const int UnsentBytesMax = 4 << 20;

    /// <summary>Receives in a row.</summary>
    private const int TurnsMax = 16;

    private readonly Socket _socket;
    private readonly SocketLoop _loop;
    private readonly FrameReader _frames;
    private readonly TransportLog _log;
    private readonly int _frameBytesMax;
    private readonly InboundConnections? _inbound;
    private readonly Lock _lock = new();
    private readonly long _began = Stopwatch.GetTimestamp();
    private readonly TaskCompletionSource _connected = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private byte[] _out = new byte[1 << 10];
    private int _outStart;
    private int _outEnd;
    private ulong _token;
    private Readiness _interest;
    private IHandleEventListener? _listener;
    private bool _closed;
    private bool _isLossTold;
    private bool _isIntroduced;

    /// <summary>Takes over a non-blocking socket that is connected or being connected. If that fails the socket is closed.
    /// One that the other side has opened is counted in <paramref name="inbound"/>, once its owner has added it there.</summary>
    public SocketAssociation(Socket socket, Address local, Address remote, SocketLoop loop, int frameBytesMax, TransportLog log, InboundConnections? inbound = null)
        : base(local, remote)
    {
        (_socket, _loop, _frameBytesMax, _log, _inbound, _isIntroduced) = (socket, loop, frameBytesMax, log, inbound, inbound is null);
        // A stranger's first frame is Akka's ASSOCIATE, some 100 bytes: until it is there, nobody makes a buffer grow.
        _frames = new FrameReader(_isIntroduced ? frameBytesMax : Math.Min(frameBytesMax, FrameReader.UsualFrameBytesMax));
        // The token is needed by whatever the loop finds, and it may find something at once.
        lock (_lock)
        {
            _interest = Readiness.Write;
            try
            {
                _token = loop.Add(socket, this, _interest);
            }
            catch
            {
                // A loop that ends may have found this one already, and closes what it finds.
                _closed = true;
                socket.Dispose();
                throw;
            }
        }

        ReadHandlerSource.Task.ContinueWith(
            listener => Listen(listener.Result), CancellationToken.None,
            TaskContinuationOptions.OnlyOnRanToCompletion | TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
    }

    /// <summary>Completes when the connection is open, or fails with a <see cref="SocketException"/>.</summary>
    public Task Connected => _connected.Task;

    /// <summary>Since it was made.</summary>
    public TimeSpan Age => Stopwatch.GetElapsedTime(_began);

    /// <summary>Akka has taken it, and hears what it brings.</summary>
    public bool IsHeard => Volatile.Read(ref _listener) is not null;

    /// <summary>The other side, for a log.</summary>
    public string Peer => $"{RemoteAddress.Host}:{RemoteAddress.Port}";

    public override bool Write(ByteString payload)
    {
        lock (_lock)
        {
            if (_closed || _outEnd - _outStart > UnsentBytesMax) return false;
            Append(payload.Span);
            SendUnsent();
            return !_closed;
        }
    }

    [Obsolete("Akka's own name for it, without a reason.")]
    public override void Disassociate() => Close();

    public void Close()
    {
        lock (_lock)
        {
            if (_closed) return;
            _closed = true;
            // First, so that its place is free whatever becomes of the rest.
            _inbound?.Remove(this);
            _loop.Remove(_socket, _token);
            try
            {
                // What was sent gets there although bytes of the other side are left unread.
                _socket.Shutdown(SocketShutdown.Both);
            }
            catch (SocketException)
            {
                // The other side was faster.
            }

            _socket.Dispose();
        }

        _connected.TrySetException(new SocketException((int)SocketError.OperationAborted));
    }

    /// <summary>Closes the connection, and tells Akka that it is lost.</summary>
    public void CloseBroken()
    {
        Close();
        TellLoss();
    }

    public void OnReady(Readiness readiness)
    {
        if (!_connected.Task.IsCompleted)
        {
            CompleteConnect();
            return;
        }

        if ((readiness & Readiness.Write) != 0)
        {
            lock (_lock) SendUnsent();
        }

        if ((readiness & (Readiness.Read | Readiness.Broken)) != 0) Receive();
    }

    private void CompleteConnect()
    {
        SocketError error;
        lock (_lock)
        {
            if (_closed) return;
            error = (SocketError)(int)_socket.GetSocketOption(SocketOptionLevel.Socket, SocketOptionName.Error)!;
            if (error == SocketError.Success) SetInterest();
        }

        if (error == SocketError.Success)
        {
            _connected.TrySetResult();
            return;
        }

        _connected.TrySetException(new SocketException((int)error));
        Close();
    }

    private void Listen(IHandleEventListener listener)
    {
        bool closed;
        lock (_lock)
        {
            _listener = listener;
            closed = _closed;
            if (!closed) SetInterest();
        }

        // It broke before there was anybody to tell.
        if (closed) TellLoss();
    }

    /// <summary>A connection without a listener is not read: its bytes would have nowhere to go.</summary>
    private void SetInterest()
    {
        var interest = (_listener is null ? Readiness.None : Readiness.Read) | (_outEnd > _outStart ? Readiness.Write : Readiness.None);
        if (interest == _interest) return;
        _interest = interest;
        _loop.Change(_socket, _token, interest);
    }

    private void Receive()
    {
        try
        {
            // One sender must not keep the thread from all the others, and from the actors that are to read this.
            for (var turn = 0; turn < TurnsMax; turn++)
            {
                int count, room;
                lock (_lock)
                {
                    if (_closed) return;
                    var free = _frames.Free;
                    room = free.Length;
                    count = _socket.Receive(free, SocketFlags.None, out var error);
                    if (error is SocketError.WouldBlock or SocketError.Interrupted) return;
                    if (error != SocketError.Success) count = 0;
                }

                if (count == 0)
                {
                    CloseBroken();
                    return;
                }

                _frames.Advance(count);
                while (_frames.TryRead(out var frame))
                {
                    if (!_isIntroduced && !TryIntroduce()) return;
                    _listener?.Notify(new InboundPayload(ByteString.CopyFrom(frame)));
                }

                if (count < room) return;
            }
        }
        catch (InvalidDataException e)
        {
            // Whoever sends that speaks something else, or has a larger limit.
            _log.Wrong(Peer, _isIntroduced ? $"{e.Message} (rcmp.limits.message-size, and 1 MiB)" : $"{e.Message} before it has introduced itself");
            CloseBroken();
        }
    }

    /// <summary>With the first whole frame: Akka closes whoever says anything but who it is.</summary>
    private bool TryIntroduce()
    {
        if (!_inbound!.TryIntroduce(this))
        {
            _log.Full(Peer, _inbound.KnownMax);
            CloseBroken();
            return false;
        }

        _isIntroduced = true;
        _frames.FrameBytesMax = _frameBytesMax;
        return true;
    }

    /// <summary>Once, to the listener or whoever becomes it.</summary>
    private void TellLoss()
    {
        IHandleEventListener? listener;
        lock (_lock)
        {
            listener = _isLossTold ? null : _listener;
            _isLossTold |= listener is not null;
        }

        listener?.Notify(new Disassociated(DisassociateInfo.Unknown));
    }

    private void Append(ReadOnlySpan<byte> payload)
    {
        var needed = FrameReader.HeaderBytes + payload.Length;
        if (_out.Length - _outEnd < needed)
        {
            var kept = _out.AsSpan(_outStart, _outEnd - _outStart);
            var to = _out.Length - kept.Length >= needed ? _out : new byte[Math.Max(2 * _out.Length, kept.Length + needed)];
            kept.CopyTo(to);
            (_out, _outStart, _outEnd) = (to, 0, kept.Length);
        }

        BinaryPrimitives.WriteInt32LittleEndian(_out.AsSpan(_outEnd), payload.Length);
        payload.CopyTo(_out.AsSpan(_outEnd + FrameReader.HeaderBytes));
        _outEnd += needed;
    }

    private void SendUnsent()
    {
        while (!_closed && _outEnd > _outStart)
        {
            var count = _socket.Send(_out.AsSpan(_outStart, _outEnd - _outStart), SocketFlags.None, out var error);
            if (error is SocketError.WouldBlock or SocketError.Interrupted) break;
            // The loop finds the connection broken, and says so.
            if (error != SocketError.Success) break;
            _outStart += count;
        }

        if (_outStart == _outEnd) _outStart = _outEnd = 0;
        if (!_closed) SetInterest();
    }
}
