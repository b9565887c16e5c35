using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Hybrid.Layers.Tests.Data.Download;

/// <summary>What a mirror is asked: the path, and the headers by name.</summary>
internal sealed record Request(string Path, IReadOnlyDictionary<string, string> Headers)
{
    public string? Header(string name) => Headers.GetValueOrDefault(name);
}

/// <summary>What a mirror sends, byte by byte as it stands here, and then: it closes, falls silent, or goes on for ever.</summary>
internal sealed record Reply(byte[] Bytes, bool Stalls = false, bool Endless = false)
{
    /// <summary>A status, headers and a body; the length of the body is the true one unless the headers say another.</summary>
    public static Reply With(int status, byte[] body, params string[] headers)
    {
        var length = headers.Any(header => header.StartsWith("Content-Length", StringComparison.Ordinal))
            ? []
            : new[] { $"Content-Length: {body.Length}" };
        return Unmeasured(status, body, [.. length, .. headers]);
    }

    /// <summary>As above, but the body ends where the connection does.</summary>
    public static Reply Unmeasured(int status, byte[] body, params string[] headers)
    {
        var head = string.Join("\r\n", [$"HTTP/1.1 {status} Status", "Connection: close", .. headers, "", ""]);
        return new([.. Encoding.ASCII.GetBytes(head), .. body]);
    }

    public static Reply Text(string text) => new(Encoding.ASCII.GetBytes(text));
}

/// <summary>A mirror on this machine that does what its script says: one reply for each request, the last one again and again.</summary>
internal sealed class Mirror : IDisposable
{
    private readonly TcpListener listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource closing = new();
    private readonly Func<Request, Reply>[] script;
    private readonly List<Request> requests = [];

    public Mirror(params Func<Request, Reply>[] script)
    {
        this.script = script;
        listener.Start();
        Folder = new($"http://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}/data/");
        _ = ListenAsync();
    }

    /// <summary>The address of its folder.</summary>
    public Uri Folder { get; }

    public Request[] Requests
    {
        get
        {
            lock (requests)
                return [.. requests];
        }
    }

    public void Dispose()
    {
        closing.Cancel();
        listener.Dispose();
    }

    private async Task ListenAsync()
    {
        while (!closing.IsCancellationRequested)
        {
            try
            {
                var client = await listener.AcceptTcpClientAsync(closing.Token);
                _ = Task.Run(() => ServeAsync(client));
            }
            catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
            {
                return;
            }
        }
    }

    private async Task ServeAsync(TcpClient client)
    {
        try
        {
            using (client)
            {
                var stream = client.GetStream();
                var request = await ReadAsync(stream);
                if (request is null)
                    return;
                int turn;
                lock (requests)
                {
                    turn = requests.Count;
                    requests.Add(request);
                }
                var reply = script[Math.Min(turn, script.Length - 1)](request);
                await stream.WriteAsync(reply.Bytes, closing.Token);
                // An end for the disk's sake, far beyond what the client may take.
                for (var left = 10_000; reply.Endless && left > 0; left--)
                    await stream.WriteAsync(new byte[4096], closing.Token);
                if (reply.Stalls)
                    await Task.Delay(Timeout.Infinite, closing.Token);
                client.Client.Shutdown(SocketShutdown.Send);
            }
        }
        catch (Exception e) when (e is IOException or SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // The client has gone, or the test is over.
        }
    }

    private async Task<Request?> ReadAsync(NetworkStream stream)
    {
        var text = new StringBuilder();
        var one = new byte[1];
        while (!text.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal))
        {
            if (await stream.ReadAsync(one, closing.Token) == 0)
                return null;
            text.Append((char)one[0]);
        }
        var lines = text.ToString().Split("\r\n", StringSplitOptions.RemoveEmptyEntries);
        var headers = lines
            .Skip(1)
            .Select(line => line.Split(": ", 2))
            .ToDictionary(parts => parts[0], parts => parts[1], StringComparer.OrdinalIgnoreCase);
        return new(lines[0].Split(' ')[1], headers);
    }
}
